"""The OSC door: steering in, notes and news out, over UDP."""
