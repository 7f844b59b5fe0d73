"""Clips, colour tables and pictures: where they come from, and how they are kept.

`store` finds them, `clips` and `stills` decode them, `cache` keeps what was decoded, `generated`
draws footage where there is none, `sprites` draws things to put into a picture, `pictures` serves
training augmentation, `fetch` downloads what users may download themselves.
"""
