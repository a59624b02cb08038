"""Sound made by the server: files, streams for listeners, Icecast. Needs the extra `audio`."""
