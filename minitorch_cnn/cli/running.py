"""The command ``train``: find or make the folder of a run, train in it, and save what has to be saved."""

import argparse
import contextlib
import os
import re
import signal
import sys
import textwrap
import time
import warnings

import minitorch_cnn
from minitorch_cnn import backend, d2l, data, training
from minitorch_cnn.cli import networks
from minitorch_cnn.cli.recipes import CONVERTERS, PRESETS, beside_published, recipe_of
from minitorch_cnn.cli.signals import Interrupted, Signals
from minitorch_cnn.inspection.tables import WIDTH

RUNS = "runs"
SAVE_EVERY = 300  # seconds between checkpoints within an epoch


def train(arguments):
    """Train LeNet by the chapter's recipe, or what the options say; started by mpiexec, on all its processes."""
    with Signals() as signals, training.join() as group:
        _train(arguments, group, signals)


def _train(arguments, group, signals):
    device = device_of(arguments.device)
    run = checkpoint = before = None
    try:
        try:
            if group.rank == 0:  # it alone writes
                run, checkpoint = _open_run(arguments)
            folder, checkpoint = group.once(lambda: (run.folder, checkpoint))
            run = run or training.Run(folder)
            before = None if checkpoint else _stamp(run)
            _train_in(run, checkpoint, arguments, device, group, signals)
        finally:
            signals.is_noting = False
            if run:
                run.close()
    except KeyboardInterrupt as interruption:
        number = getattr(interruption, "number", signal.SIGINT)
        raise Interrupted(number, f"\n{_what_is_saved(run, before)}") from None
    except training.Diverged as error:
        raise training.Diverged(f"{error}\n{_what_is_saved(run, before)}") from error
    except OSError as error:
        text = f"cannot write to {run.folder}: {_cause_of(error)}. Make room there, or see who may write to it"
        raise RuntimeError(f"{text}\n{_what_is_saved(run, before)}") from error


def _train_in(run, checkpoint, arguments, device, group, signals):
    recipe = recipe_of(**{**(checkpoint.recipe if checkpoint else {}), **_given(arguments)})
    net = _network(recipe, device, run)
    if checkpoint and group.rank == 0:
        _writing(run.folder, run.repair, checkpoint)
    if checkpoint and len(checkpoint.history) >= recipe["epochs"]:
        print(f"{run.folder} is finished after epoch {len(checkpoint.history)}: {checkpoint.history[-1]}")
        if PRESETS[recipe["preset"]].schedule is None:
            print(f"To train it further: minitorch-cnn train --resume --out {run.folder} --epochs N")
        return
    train_iter, test_iter = group.once(load_data, recipe["batch_size"], arguments)
    optimizer, schedule, history = _begin(net, recipe, checkpoint, len(train_iter))
    if not arguments.quiet:
        _announce(run, recipe, net, history, checkpoint and checkpoint.within, train_iter, test_iter, device, group)

    def after_step(progress):
        """Change the learning rate; save within the epoch, when a signal asks for the end or from time to time."""
        nonlocal saved_at
        if schedule is not None:
            schedule.step()
        asks, is_due = signals.received is not None, group.rank == 0 and time.monotonic() - saved_at > SAVE_EVERY
        asks, is_due = group.sum([asks, is_due])  # all processes do the same
        if (asks or is_due) and progress.batch < progress.batches:
            within = progress.within()
            if group.rank == 0:
                try:
                    run.save(net, optimizer, history, recipe, within=within, schedule=schedule)
                except OSError as error:  # a disk that is full now may not be at the end of the epoch
                    warnings.warn(f"no checkpoint was saved within the epoch: {_cause_of(error)}", stacklevel=2)
            saved_at = time.monotonic()
            if asks:
                progress.stop()

    def after_epoch(optimizer, history):
        nonlocal saved_at
        run.save(net, optimizer, history, recipe, schedule=schedule)
        saved_at = time.monotonic()
        row = history[-1]
        if not arguments.quiet:
            print(f"epoch {row.epoch:>2}/{recipe['epochs']}: {row}, {row.seconds:.1f} s", flush=True)
        if signals.received and len(history) < recipe["epochs"]:
            raise Interrupted(signals.received)

    begun = saved_at = time.monotonic()
    signals.is_noting = group.size == 1  # of several, one may wait for another for ever
    training.train(
        net, train_iter, test_iter, epochs=recipe["epochs"], optimizer=optimizer, device=device, history=history,
        on_step=after_step, on_epoch=after_epoch, group=group, capture=arguments.capture,
        within=checkpoint.within if checkpoint else None, progress=not arguments.quiet,
    )  # fmt: skip
    signals.is_noting = False
    if len(history) < recipe["epochs"]:
        raise Interrupted(signals.received or signal.SIGINT)
    print(history[-1])
    if arguments.quiet:
        print(f"saved in {run.folder}")
        return
    print(f"{history.examples_per_sec:.1f} examples/sec on {device}")
    print(f"{time.monotonic() - begun:.1f} s of wall clock, with loading, evaluation and saving")
    print(f"saved in {run.folder}:")
    print(textwrap.fill(", ".join([*run.FILES, "epochs/"]), WIDTH, initial_indent="  ", subsequent_indent="  "))
    if published := beside_published(recipe, history):
        print(f"\n{published}")


def device_of(name):
    """The device that an option names."""
    return backend.auto_device() if name == "auto" else backend.as_device(name)


def _given(arguments):
    """The settings of the recipe that stand on the command line."""
    return {name: getattr(arguments, name) for name in CONVERTERS if getattr(arguments, name) is not None}


def load_data(batch_size, arguments):
    """Return the loaders of Fashion-MNIST, from where the options say."""
    with _data_options(arguments):
        return d2l.load_data_fashion_mnist(batch_size, root=arguments.data_dir)


def load_test_data(arguments):
    """Return the loader of the test images alone."""
    with _data_options(arguments):
        return data.DataLoader(data.FashionMNIST(arguments.data_dir, train=False), 256)


@contextlib.contextmanager
def _data_options(arguments):
    """For a time, the environment says what the options of the data say."""
    before = dict(os.environ)
    if arguments.offline:
        os.environ["MINITORCH_CNN_OFFLINE"] = "1"
    if arguments.mirror:
        os.environ["MINITORCH_CNN_MIRROR"] = arguments.mirror
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _open_run(arguments):
    """Return the run whose folder the results go to, locked and ready, and the checkpoint to go on from, or None."""
    if arguments.resume:
        run = training.Run(arguments.out) if arguments.out else training.Run.newest(RUNS)
        if not run.folder.is_dir():
            raise training.CheckpointError(f"there is no checkpoint {run.checkpoint}")
    else:
        fresh = f"{RUNS}/{re.sub('[^A-Za-z0-9_.-]', '-', arguments.model or 'lenet')}"
        run = _writing(RUNS, lambda: training.Run(arguments.out) if arguments.out else training.Run.fresh(fresh))
    try:
        _writing(run.folder, run.lock)
        checkpoint = _checkpoint_of(run, arguments) if arguments.resume else None
        if not arguments.resume and run.has_results() and not arguments.overwrite:
            raise RuntimeError(
                f"{run.folder} holds the results of a run. Go on with it: --resume; replace it: --overwrite; "
                "or choose another folder for --out"
            )
        _writing(run.folder, run.prepare)
    except BaseException:
        run.close()
        raise
    return run, checkpoint


def _checkpoint_of(run, arguments):
    """Read what to go on from, and refuse to mix two recipes: only the number of epochs may change."""
    checkpoint = run.load()
    for name, value in checkpoint.recipe.items():
        if name in CONVERTERS:
            try:
                checkpoint.recipe[name] = CONVERTERS[name](value if isinstance(value, str) else repr(value))
            except argparse.ArgumentTypeError as error:
                raise training.CheckpointError(
                    f"{run.checkpoint} is no run of this command: its {name}: {error}"
                ) from error
    begun_with = recipe_of(**checkpoint.recipe)
    may_change = {"epochs"} if PRESETS[begun_with["preset"]].schedule is None else set()
    for name, value in _given(arguments).items():
        if name not in may_change and value != begun_with[name]:
            option = name.replace("_", "-")
            why = f" (with --preset {begun_with['preset']}, all steps follow from it)" if name == "epochs" else ""
            raise RuntimeError(
                f"{run.folder} was begun with --{option} {begun_with[name]}, it cannot go on with {value}{why}: "
                f"leave --{option} out, or start a new run"
            )
    return checkpoint


def _writing(folder, function, *args):
    """Call what writes to a run's folder; that it cannot be written to is explained."""
    try:
        return function(*args)
    except OSError as error:
        raise RuntimeError(f"cannot write to {folder}: {_cause_of(error)}. Choose another folder with --out") from error


def _cause_of(error):
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror or error


def _network(recipe, device, run):
    """The network, with the weights that its seed begins with."""
    minitorch_cnn.manual_seed(recipe["seed"])
    net = networks.network_of(recipe["model"])
    if not networks.check_for_images(net, recipe["model"]).requires_grad:
        raise RuntimeError(
            f"--model {recipe['model']}: nothing of it can be trained: its outputs depend on no parameter that "
            "requires grad. Its layers have to be attributes, and used in forward without detach()"
        )
    net.to(device)
    run.begin(net)
    return net


def _begin(net, recipe, checkpoint, batches):
    """The optimizer, its schedule and the history; with the network, as they are at first, or in the checkpoint."""
    preset = PRESETS[recipe["preset"]]
    optimizer = preset.optimizer(net.parameters(), recipe["lr"])
    schedule = preset.schedule and preset.schedule(optimizer, recipe["epochs"] * batches)
    if checkpoint is None:
        return optimizer, schedule, training.History()
    checkpoint.restore(net, optimizer, schedule)
    return optimizer, schedule, checkpoint.history


def _announce(run, recipe, net, history, within, train_iter, test_iter, device, group):
    images = f"{len(train_iter.dataset):,} images to train on and {len(test_iter.dataset):,} to test on"
    print(f"{recipe['model']} on Fashion-MNIST: {images}")
    parameters = sum(parameter.numel() for parameter in net.parameters())
    print(f"{parameters:,} parameters, at first {networks.INITIAL.get(recipe['model'], 'as the network makes them')}")
    settings = f"batch size {recipe['batch_size']}, lr {recipe['lr']:g}, seed {recipe['seed']}"
    print(f"preset {recipe['preset']}: {settings}, results in {run.folder}")
    print(f"training on {device}")
    if group.size > 1:
        print(f"{group.size} processes share each batch; threads of each: {group.threads}. Should one fail, go on with")
        print(f"  mpiexec -n {group.size} minitorch-cnn train --resume --out {run.folder}")
    if within:
        print(f"going on after {within['batch']} of {within['batches']} batches of epoch {len(history) + 1}")
    elif history:
        print(f"going on after epoch {len(history)}: {history[-1]}")
    sys.stdout.flush()


def _stamp(run):
    """What tells one checkpoint on the disk from another: None if there is none."""
    try:
        status = run.checkpoint.stat()
        return status.st_ino, status.st_mtime_ns
    except OSError:
        return None


def _what_is_saved(run, before):
    """Say what is saved, as it stands on the disk, unless it is the checkpoint of `before`, of a run to be replaced."""
    try:
        checkpoint = run.load() if run and _stamp(run) not in (None, before) else None
    except (training.CheckpointError, OSError):
        checkpoint = None
    if checkpoint is None:
        return "No epoch was finished and saved."
    epochs, within = len(checkpoint.history), checkpoint.within
    saved = [f"Epoch {epochs} is finished and saved"] if epochs else []
    saved += [f"{within['batch']} of {within['batches']} batches of epoch {epochs + 1} are saved"] if within else []
    how = f"minitorch-cnn train --resume --out {run.folder}"
    return f"{', and '.join(saved)}. To go on after {'them' if within else 'it'}:\n  {how}"
