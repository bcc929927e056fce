"""The call of a module on which users have hung hooks."""


def forward_with_hooks(module, args, kwargs):
    """``module.forward(*args, **kwargs)`` with the hooks before and after it."""
    hooks = module._forward_pre_hooks
    for number, hook in list(hooks.items()):
        if number in hooks.with_kwargs:
            answer = hook(module, args, kwargs)
            if answer is not None:
                if not isinstance(answer, tuple) or len(answer) != 2:
                    raise RuntimeError(f"forward pre-hook must return None or (new_args, new_kwargs), got {answer!r}")
                args, kwargs = answer
        else:
            answer = hook(module, args)
            if answer is not None:
                args = answer if isinstance(answer, tuple) else (answer,)
    output = module.forward(*args, **kwargs)
    hooks = module._forward_hooks
    for number, hook in list(hooks.items()):
        takes_kwargs = number in hooks.with_kwargs
        answer = hook(module, args, kwargs, output) if takes_kwargs else hook(module, args, output)
        output = output if answer is None else answer
    return output
