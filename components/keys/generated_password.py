"""A random password that no upgrade changes."""

from __future__ import annotations

import pulumi
import pulumi_random as random

from components.kube.secret import secret_output


def generated_password(name: str, length: int, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """Generate `length` letters and digits once, kept in the stack's state, and return them as a secret Output.

    Every argument is explicit, because a changed default of the provider would replace the resource and so rotate the
    value (github.com/pulumi/pulumi-random/issues/258). There are no keepers. Letters and digits are safe in every
    format that a password passes through: URIs, ini files, shells.
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
