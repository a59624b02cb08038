"""How music becomes events of a network, and events become music."""
