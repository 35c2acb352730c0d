"""File formats that prices come in: recognised by content, read into exact bars, with a reason for each row left out.

Names of formats and how each is recognised: docs/formats.md. The way in is `registry`.
"""
