"""The tutorial's scans in Slicer's Sample Data module: a CT and an MR of one head, Slicer's own."""

from __future__ import annotations

STORE = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"

SCANS = {
    "CT": ("CT-brain.nrrd", "6a5b6caccb76576a863beb095e3bfb910c50ca78f4c9bf043aa42f976cfa53d1"),
    "MR T1": ("MR-brain-T1.nrrd", "2da3f655ed20356ee8cdf32aa0f8f9420385de4b6e407d28e67f9974d7ce1593"),
}
"""Node name to file and SHA-256."""


def register_sample_data() -> None:
    """Offer the pair under DSIR Registration; nothing is downloaded before the user clicks."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="DSIR Registration",
        sampleName="DSIR CT-MR head",
        uris=[STORE + digest for _file, digest in SCANS.values()],
        fileNames=[file for file, _digest in SCANS.values()],
        nodeNames=list(SCANS),
        checksums=[f"SHA256:{digest}" for _file, digest in SCANS.values()],
    )
