"""``python -m shardmill.bench``: compares the loader with FFCV, DALI, torchvision, WebDataset and Mosaic.

What is measured
    Every loader reads the same images from the page cache, does the same work on them, and passes the
    batches to a consumer that counts the images and reads one value.  If a loader cannot do part of the
    work, its row says so.  The kinds of work are in :data:`shardmill.bench.work.WORKS`.

How
    Each loader has its own process from its first round to its last, so loaders share no threads, memory
    or libraries.  Importing, opening, compiling and writing its data are not counted, nor is its first
    epoch, in which its images are counted and their shape, type, mean and classes are compared with ours.
    Then the rounds follow: ours, a peer, ours, the next peer, ...  A round consists of whole epochs,
    including the start of each, until ``--seconds`` have passed; its figure is the median of its epochs,
    as in ``loader bench``.  Between its turns a process is suspended (SIGSTOP, together with its child
    processes), so that it takes no time from others.  A loader that prefetches across the end of an
    epoch, as DALI does, may start a round with a few batches ready; this is not corrected for.

    The Rust program ``loader bench`` and the variant with torch tensors take turns like peers.  The
    program is restarted for each turn and makes one warm-up pass before it counts.

What a row means
    ``images/s``: median over the rounds (least to largest).  ``ours / it``: the ratio of each of our
    rounds to the peer's round directly after it, median (least to largest).  ``CPU s/1k``: CPU seconds
    for 1,000 images, all threads and child processes, median over the rounds.
"""
