"""The stack that is thrown away, under the name by which the tests know it."""

from benchmarks.plain_stack import CONTEXT as CONTEXT
from benchmarks.plain_stack import ROOT as ROOT
from benchmarks.plain_stack import SHIPPED as SHIPPED
from benchmarks.plain_stack import UNCHANGED as UNCHANGED
from benchmarks.plain_stack import Repository as Repository
from benchmarks.plain_stack import Result as Result
from benchmarks.plain_stack import Stack as Stack
from benchmarks.plain_stack import dag_repository as dag_repository
from benchmarks.plain_stack import destroyed as destroyed
from benchmarks.plain_stack import events as events
from benchmarks.plain_stack import make_stack as make_stack
from benchmarks.plain_stack import pulumi as pulumi
from benchmarks.plain_stack import release_has_begun as release_has_begun
from benchmarks.plain_stack import steps as steps
