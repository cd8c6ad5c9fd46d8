"""``python -m shardmill.bench``: the loader beside FFCV, DALI, torchvision, WebDataset and Mosaic.

What is measured
    Every loader reads the same images, from the page cache, does the same work on them, and hands the
    batches to a consumer that counts the images and looks at one value.  What a loader cannot do is
    named in its row.  The works are in :data:`shardmill.bench.work.WORKS`.

How
    Each loader lives in a process of its own from its first round to its last, so that no loader's
    threads, memory or libraries are in another's.  Opening, importing, compiling and writing its data
    are not counted, nor is its first epoch, in which its images are counted and its shape, type, mean
    and classes are compared with ours.  Then the rounds: ours, a peer, ours, the next peer, ...  A
    round is whole epochs, the start of each included, until ``--seconds`` have passed; its figure is
    the median of its epochs, as in ``loader bench``.  A process is stopped (SIGSTOP, with all that it
    started) while it is not its turn: it takes no time from others.  A loader that prefetches over
    the end of an epoch, as DALI does, may begin a round with a few batches ready; nothing is taken off
    for that.

    The Rust program ``loader bench`` and the variant with torch tensors take turns like peers.  The
    program is started anew for each turn and makes one pass of its own before it counts.

What a row means
    ``images/s``: median over the rounds (least to largest).  ``ours / it``: each of our rounds over the
    other's directly after it, median (least to largest).  ``CPU s/1k``: processor seconds for 1,000
    images, all threads and child processes, median over the rounds.
"""
