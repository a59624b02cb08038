"""A whole running server: its parts are opened, watched and told of here."""
