"""Rules of imaging: plain values in, plain values out."""
