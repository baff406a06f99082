"""A stack's Helm release as files for Helmsman.

`from_state` and `from_plan` say what the stack is, `files` writes it as texts, `write_folder` puts them into a folder.
Format: github.com/mkubaczyk/helmsman, docs/desired_state_specification.md and docs/how_to/apps/lifecycle_hooks.md.
"""

from automation.helmsman.deployed import from_state as from_state
from automation.helmsman.folder import FolderRefused as FolderRefused
from automation.helmsman.folder import write_folder as write_folder
from automation.helmsman.image_values import split_image as split_image
from automation.helmsman.names import ADMIN_USER as ADMIN_USER
from automation.helmsman.names import DESIRED_STATE as DESIRED_STATE
from automation.helmsman.names import FILES as FILES
from automation.helmsman.names import IMAGE_VALUES as IMAGE_VALUES
from automation.helmsman.names import MANIFESTS as MANIFESTS
from automation.helmsman.names import MIGRATION as MIGRATION
from automation.helmsman.names import PREREQUISITES as PREREQUISITES
from automation.helmsman.names import VALUES as VALUES
from automation.helmsman.planned import from_plan as from_plan
from automation.helmsman.source import ExportedStack as ExportedStack
from automation.helmsman.source import NotExportable as NotExportable
from automation.helmsman.text import files as files
