"""What repeats in many objects is said once, and nothing is lost by it."""

from __future__ import annotations

from automation.change_report.model import ChangeKind, ObjectChange, PropertyChange
from automation.change_report.repeated import Moved, same_values, without_repetition

IMAGE = "spec.template.spec.containers[main].image"
CHECKSUM = 'spec.template.metadata.annotations["checksum/airflow-config"]'


def change(path: str, before: str = "a:1", after: str = "a:2") -> PropertyChange:
    return PropertyChange(path=path, before=before, after=after)


def updated(label: str, *changes: PropertyChange) -> ObjectChange:
    return ObjectChange(kind=ChangeKind.UPDATE, label=label, changes=changes)


def test_image_that_moves_in_many_objects_is_said_once_with_their_names() -> None:
    rest = change("spec.replicas", "1", "2")
    found = without_repetition(
        [
            updated("Deployment a", change(CHECKSUM, "x", "y"), change(IMAGE), rest),
            updated("Deployment b", change(IMAGE)),
        ]
    )
    assert found.moved == (Moved("a:1", "a:2", ("Deployment a", "Deployment b")),)
    assert found.checksums == ("Deployment a",)
    assert found.others == (updated("Deployment a", rest),)


def test_what_does_not_repeat_stays_where_it_is() -> None:
    one = updated("Deployment a", change(IMAGE))
    other = updated("Deployment b", change(IMAGE, "b:1", "b:2"))
    created = ObjectChange(kind=ChangeKind.CREATE, label="Deployment c", changes=(change(IMAGE),))
    bare = updated("Service d")
    refused = ObjectChange(
        kind=ChangeKind.UPDATE, label="Deployment e", changes=(change(CHECKSUM),), refused=("spec.x",)
    )
    found = without_repetition([one, other, created, bare, refused])
    assert found.moved == ()
    assert [item.label for item in found.others] == [
        f"{kind} {name}"
        for kind, name in zip(("Deployment", "Deployment", "Deployment", "Service", "Deployment"), "abcde", strict=True)
    ]


def test_image_of_two_containers_of_one_object_is_no_repetition_among_objects() -> None:
    both = updated("Deployment a", change(IMAGE), change(IMAGE.replace("main", "groomer")))
    assert without_repetition([both]).moved == ()
    assert [paths for paths, _ in same_values(both.changes)] == [[IMAGE, IMAGE.replace("main", "groomer")]]


def test_changes_with_other_values_are_apart() -> None:
    changes = [
        change("x"),
        change("y", "a:1", "a:3"),
        PropertyChange(path="z", before="a:1", after="a:2", replaces=True),
    ]
    assert [paths for paths, _ in same_values(changes)] == [["x"], ["y"], ["z"]]
