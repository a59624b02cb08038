"""A child process of the server, supervised: what composing and making sound have in common."""
