"""The languages of the registry: English as it is written, German from the catalogues of each app (``locale/``)."""
