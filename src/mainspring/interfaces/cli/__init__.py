"""The command line: `mainspring NOUN VERB` read off the operations, and the daily verbs by hand.

Nothing is imported that the command at hand does not need: `mainspring --help` loads `table` and
`program` alone, `mainspring runs --help` one contract more.
"""
