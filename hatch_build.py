"""What the package's metadata takes from where it is released: absolute links in the README, and addresses.

`ZKGPU_ADDRESS`, when a release is built, is the repository's address, such as https://example.org/owner/zkgpu: on a
package index relative links lead nowhere. Without it the README is taken as it is, and no address is named.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?<!!)(\[[^\]]*\]\()(?!https?:|#)([^)]+\))")
_PICTURE = re.compile(r'(!\[[^\]]*\]\(|(?:src|srcset)=")(?!https?:)([^)"]+)')


def absolute(text: str, address: str, tag: str) -> str:
    """A page whose relative links lead to the files of a tag, as GitHub and GitLab serve them."""
    text = _PICTURE.sub(rf"\g<1>{address}/raw/{tag}/\g<2>", text)
    return _LINK.sub(rf"\g<1>{address}/blob/{tag}/\g<2>", text)


class ReleasedMetadata(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        """Sets `readme` and `urls`."""
        address, tag = os.environ.get("ZKGPU_ADDRESS", "").rstrip("/"), f"v{metadata['version']}"
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = absolute(text, address, tag) if address else text
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = {"Source": address, "Changelog": f"{address}/blob/{tag}/CHANGELOG.md"} if address else {}
