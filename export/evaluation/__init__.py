"""How good composed music is: figures beside those of real music, likelihood, copying, obedience.

Works on lists of `engine.music.score.Score` on the tick grid; needs no network and no torch.
"""
