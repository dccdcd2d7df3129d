"""The log of each organization that other software reads: numbered events, in commit order."""
