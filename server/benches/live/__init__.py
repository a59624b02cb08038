"""`perpetuo bench live`: real servers in processes of their own, driven and timed from outside."""
