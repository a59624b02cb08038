"""Music by rules of our own craft, to train the styles on of which nobody's music is free."""
