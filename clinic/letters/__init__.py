"""Letters about patients: the text a centre writes, the facts put into it, the page and the PDF made of it.

Nothing here imports the typesetting engine before a letter is made. In words: docs/letters.md.
"""
