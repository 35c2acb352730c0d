"""The words of Manjha: frozen values, identifiers and messages. Standard library and msgspec only."""
