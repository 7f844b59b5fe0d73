"""Clips, colour tables and pictures: where they come from, and how they are kept.

`store` finds them, `cache` keeps decoded clips, `generated` draws footage where there is none,
`pictures` serves training augmentation, `fetch` downloads what users may download themselves.
"""
