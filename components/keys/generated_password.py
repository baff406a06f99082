"""A random password that no upgrade changes."""

from __future__ import annotations

import pulumi
import pulumi_random as random

from components.kube.secret import secret_output


def generated_password(name: str, length: int, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """`length` letters and digits, generated once and kept in the stack's state, as a secret Output.

    Every argument is explicit, because a changed default of the provider would replace, that is, rotate the value
    (github.com/pulumi/pulumi-random/issues/258); and there are no keepers. Letters and digits survive every format
    that a password passes through: URIs, ini files, shells.
    """
    return secret_output(
        random.RandomPassword(
            name,
            length=length,
            lower=True,
            min_lower=0,
            upper=True,
            min_upper=0,
            numeric=True,
            min_numeric=0,
            special=False,
            min_special=0,
            opts=opts,
        ).result
    )
