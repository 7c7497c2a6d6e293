"""The kinds of annotation, one module each; `KINDS` is their order."""
