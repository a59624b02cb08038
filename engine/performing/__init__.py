"""How a player would render a bar: tempo, timing, touch and pedal, learned from performances."""
