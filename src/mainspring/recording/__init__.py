"""A run as the training process sees it: a local write-ahead file, and a thread that ships it.

`run` is what a script holds, `spool` what is on disk when a call returns, `shipping` what takes it to
the server, `capture` what nobody should have to write down, `autologging` the seam for frameworks.
"""
