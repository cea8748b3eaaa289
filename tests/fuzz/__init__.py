"""What reads bytes of somebody unknown, and what must hold whatever these are.

`targets` says it, for any bytes; ``tests/test_fuzz.py`` tries the corpus and what hypothesis thinks of, and
``python -m tests.fuzz TARGET`` looks for more, by what each input makes the code do.
"""
