"""DICOM read for what a study needs: headers and measurement reports, never a picture. In words: docs/dicom.md.

``facts`` are what is read. ``files`` takes uploads apart, ``headers`` reads one file, ``study`` joins those of a study,
``suv`` finds the SUVbw factor, ``reports`` reads TID 1500, ``web`` fetches from a DICOMweb server. Everything that cannot be
used is a ``DicomError``. Nothing here knows Django or keeps anything.
"""
