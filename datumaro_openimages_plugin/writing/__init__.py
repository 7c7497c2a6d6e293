"""Export, top to bottom: items become rows, masks and pictures."""
