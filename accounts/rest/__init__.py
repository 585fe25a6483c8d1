"""What every part of the REST API shares: doors, preconditions, paging, errors and their description in OpenAPI.

In words: docs/api.md.
"""
