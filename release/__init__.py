"""`make release VERSION=0.1.0`: everything that a release consists of, into dist/, byte by byte the same each time.

    source.py ─► packages.py  wheel, sdist, the agent as one file
              ─► images.py    docker builds, oci.py makes an OCI archive with a digest of each
              ─► chart.py     the chart, which names those images by their digests
              ─► sbom.py      what the operator's image consists of
              ─► __main__.py  SHA256SUMS

What is the same each time is what is ours: the images' layers are, as far as the packages in them are.
"""
