"""What the registry's outcomes mean: plain Python in, plain Python out, no Django, no clock, no I/O.

``endpoints`` derives one course's outcome, ``survival`` and ``response`` estimate over many. In words:
docs/rules/endpoints.md, docs/rules/survival.md, docs/rules/response.md.
"""
