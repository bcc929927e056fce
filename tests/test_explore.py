"""The page to explore, in a real browser: what it computes is what the library computes, and it can be used."""

import base64
import functools
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import cli, data, models, nn, optim, training
from minitorch_cnn.inspection import explore, explore_page
from minitorch_cnn.training.history import Epoch

pytestmark = pytest.mark.elsewhere("a browser")
STRINGS = json.loads((explore.PAGE / "strings.json").read_text(encoding="utf-8"))
IN_DOCS = Path(__file__).parents[1] / "docs" / "explore.html"
LAST = 12  # the step of the loss, after the 12 outputs of layers


# --- the page and the browser ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of three epochs, with its page, as the command has written it."""
    folder = tmp_path_factory.mktemp("explore") / "lenet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "FashionMNIST", TinyFashion)
        options = ["--epochs", "3", "--batch-size", "4", "--device", "cpu", "--out", str(folder)]
        assert cli.main(["train", *options]) == 0
        assert cli.main(["explore", str(folder)]) == 0
    return training.Run(folder)


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; without it the tests are skipped, but not in continuous integration."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        programs["selenium"] = None
    if missing := [name for name, path in programs.items() if not path]:
        text = f"{', '.join(missing)}: not installed"
        pytest.fail(text) if os.environ.get("CI") == "true" else pytest.skip(text)
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for option in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--force-prefers-reduced-motion",
    ):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs["chromedriver"]))
    yield driver
    driver.quit()


class Page:
    """The page in the browser, as a person uses it, and its variables."""

    def __init__(self, driver):
        self.driver = driver

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def arrays(self, code):
        """The value of an expression, with all lists in it as arrays."""
        return {name: np.array(array) for name, array in json.loads(self.js(f"return JSON.stringify({code})")).items()}

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0]).textContent", selector)

    def size(self, width, height=900):
        settings = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", settings)

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        self.one(selector).click()

    def choose(self, name, value):
        """Press one of the buttons of which one is chosen."""
        self.js("arguments[0].click()", self.one(f"[name={name}][value='{value}']"))

    def slide(self, selector, value):
        code = "const [e, v] = arguments; e.value = v; e.dispatchEvent(new Event('input', {bubbles: true}))"
        self.js(code, self.one(selector), value)

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def point(self, maps, x, y, kind="mouse", press=False, to=None):
        """Move a mouse or a finger to a point of some maps, in shares of their size; press; draw to another point."""
        from selenium.webdriver.common.actions.action_builder import ActionBuilder
        from selenium.webdriver.common.actions.pointer_input import PointerInput

        self.js("arguments[0].scrollIntoView({block: 'center'})", maps)
        box = self.js("const b = arguments[0].getBoundingClientRect(); return [b.left, b.top, b.width, b.height]", maps)
        at = [(int(box[0] + px * box[2]), int(box[1] + py * box[3])) for px, py in [(x, y), *([to] if to else [])]]
        actions = ActionBuilder(self.driver, mouse=PointerInput(kind, kind), duration=0)
        actions.pointer_action.move_to_location(*at[0])
        if press or to:
            actions.pointer_action.pointer_down()
            for place in at[1:]:
                actions.pointer_action.move_to_location(*place)
            actions.pointer_action.pointer_up()
        actions.perform()


@pytest.fixture(scope="module")
def opened(browser, run):
    browser.get((run.folder / "explore.html").as_uri())
    return Page(browser)


@pytest.fixture
def page(opened):
    """The page as it was opened. In the end, nothing may have gone wrong, and nothing may have been asked for."""
    opened.size(1300)
    opened.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    opened.choose("language", "en")
    opened.choose("theme", "light")
    opened.choose("rate", "0.1")
    opened.js(
        "scrollTo(0, 0); state.number = {layer: 1, index: 406, pinned: false};"
        "Object.assign(state, {epoch: EPOCHS.length - 1, weights: weightsAfter(EPOCHS.length - 1)});"
        "chooseImage(DATA.start);"
        "if (document.getElementById('eraser').checked) document.getElementById('eraser').click();"
        "document.getElementById('number').removeAttribute('data-open')"
    )
    yield opened
    assert [entry for entry in opened.driver.get_log("browser") if entry["level"] != "INFO"] == []
    fetched = opened.js("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [url for url in fetched if not url.startswith("data:")] == []


# --- the library beside it -------------------------------------------------------------------------------


@functools.cache
def labels_and_images():
    dataset = TinyFashion(train=False)
    return dataset.targets, dataset.data / np.float32(255)


class Truth:
    """What the library makes of an image: the outputs of all layers, the loss, and its gradients."""

    def __init__(self, weights, image, label):
        self.net = models.LeNet()
        self.net.load_state_dict(weights)
        self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
        x = mt.tensor(np.asarray(image, np.float32).reshape(1, 1, 28, 28), requires_grad=True)
        outputs = [x]
        for layer in self.net:
            outputs.append(layer(outputs[-1]))
            outputs[-1].retain_grad()
        self.loss = nn.CrossEntropyLoss()(outputs[-1], mt.tensor([label]))
        self.loss.backward()
        self.tensors = [y for y, layer in zip(outputs, [None, *self.net]) if not isinstance(layer, nn.Flatten)]
        self.values = [y.detach().numpy().ravel() for y in self.tensors]
        self.gradients = [y.grad.numpy().ravel() for y in self.tensors]
        self.weights = {name: p.grad.numpy().ravel() for name, p in self.net.named_parameters()}

    def stepped(self, lr):
        """The weights after a step of SGD."""
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.step()
        return self.net.state_dict()


def assert_near(ours, theirs):
    """Equal to 1e-5 of the largest of all numbers."""
    assert ours.shape == theirs.shape
    assert abs(ours - theirs).max() <= 1e-5 * abs(theirs).max()


def assert_agrees(page, truth):
    plain = "Object.fromEntries(Object.entries({}).map(([name, array]) => [name, Array.from(array)]))"
    values = page.arrays(plain.format("state.values"))
    gradients = page.arrays(plain.format("state.gradients.maps"))
    assert len(values) == len(gradients) == LAST
    for layer in range(LAST):
        assert_near(values[str(layer)], truth.values[layer])
        assert_near(gradients[str(layer)], truth.gradients[layer])
    for name, dw in page.arrays(plain.format("state.gradients.weights")).items():
        assert_near(dw, truth.weights[name])
    assert page.js("return state.loss") == pytest.approx(truth.loss.item(), rel=1e-5)


def image_on(page):
    return np.array(page.js("return Array.from(state.image)"), np.float32)


def truth_of(page, run):
    return Truth(run.load_weights(), image_on(page), page.js("return state.label"))


def number_in(text):
    """A number as the page writes it."""
    powers = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    text = re.sub("·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda power: f"e{power[1].translate(powers)}", text.replace("−", "-"))
    return float(re.sub(r"[^-e.\d]", "", text))


def shows(text, value):
    """Whether a text shows this value, to the digits that it has."""
    return number_in(text) == pytest.approx(value, rel=0.02, abs=1e-12)


# --- its arithmetic --------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 27])
def test_every_map_loss_and_gradient_is_the_librarys(page, run, place):
    page.js("document.querySelectorAll('#gallery button')[arguments[0]].click()", place)
    labels, images = labels_and_images()
    assert any(np.array_equal(image_on(page), image.ravel()) for image in images[labels == place // 5])
    assert page.js("return state.label") == place // 5
    assert_agrees(page, truth_of(page, run))


def test_a_step_of_sgd_is_the_librarys_and_can_be_undone(page, run):
    truth = truth_of(page, run)
    before = page.text("#result b")
    page.choose("rate", "0.9")
    page.click("#take")
    after = page.arrays("Object.fromEntries(Object.entries(state.weights).map(([n, w]) => [n, Array.from(w)]))")
    for name, weight in truth.stepped(0.9).items():
        assert_near(after[name], weight.numpy().ravel())
    stepped = Truth(truth.net.state_dict(), image_on(page), page.js("return state.label"))
    assert shows(page.text("#loss-before"), truth.loss.item())
    assert shows(page.text("#loss-after"), stepped.loss.item())
    assert page.text("#spoken") == page.text("#result")
    assert_agrees(page, stepped)
    most = page.js("return [...document.querySelectorAll('#moves td:nth-child(3)')].map((cell) => cell.textContent)")
    for text, dw in zip(most, truth.weights.values(), strict=True):
        assert shows(text, 0.9 * abs(dw).max())
    page.click("#take")
    assert "epoch 3, your steps: 2" in page.text("#status")
    page.click("#reset")
    assert page.text("#result b") == before
    assert page.js("return state.weights === weightsAfter(3)")


@pytest.mark.parametrize(
    ("size", "geometry"),
    [((2, 6, 7), {"kernel": 3}), ((3, 7, 7), {"kernel": 3, "stride": 2, "padding": 2, "dilation": 2})],
)
def test_convolution_and_pooling_are_the_librarys_for_any_geometry(page, size, geometry):
    rng, k = np.random.default_rng(0), geometry["kernel"]
    x, weight, bias = rng.standard_normal(size), rng.standard_normal((4, size[0], k, k)), rng.standard_normal(4)
    settings = {name: value for name, value in geometry.items() if name != "kernel"}
    ours = [mt.tensor(array, requires_grad=True) for array in (x[None], weight, bias)]
    y = F.conv2d(*ours, **settings)
    dy = rng.standard_normal(y.shape)
    y.backward(mt.tensor(dy))
    code = (
        "const [x, shape, w, b, geometry, dy] = arguments, f = (a) => Float64Array.from(a);"
        "const back = conv2dBackward(f(dy), f(x), shape, f(w), f(b), geometry);"
        "return [conv2d(f(x), shape, f(w), f(b), geometry), back.dx, back.dWeight, back.dBias,"
        " im2col(f(x), shape, geometry)].map((array) => Array.from(array))"
    )
    flat = [array.ravel().tolist() for array in (x, weight, bias, dy)]
    found = page.js(code, flat[0], size, flat[1], flat[2], geometry, flat[3])
    columns = F.unfold(ours[0], k, **settings)
    for array, expected in zip(found, [y, *(tensor.grad for tensor in ours), columns], strict=True):
        assert_near(np.array(array), expected.detach().numpy().ravel())


def test_the_weights_of_earlier_epochs_are_rounded_to_8_bits_and_the_last_ones_exact(page, run):
    assert page.js("return EPOCHS") == run.epochs() == [0, 1, 2, 3]
    for place in (1, 3):
        shown = page.arrays(
            f"Object.fromEntries(Object.entries(weightsAfter({place})).map(([n, w]) => [n, Array.from(w)]))"
        )
        for name, tensor in run.load_epoch(place).items():
            weight = tensor.numpy().reshape(len(tensor), -1) if tensor.dim() > 1 else tensor.numpy()[None]
            step = abs(weight).max(1, keepdims=True) / 127 if place < 3 else 0
            assert (abs(shown[name].reshape(weight.shape) - weight) <= 0.501 * step).all()


# --- its sections ----------------------------------------------------------------------------------------


def test_pointing_at_a_number_shows_its_window_products_column_and_gradient(page, run):
    truth = truth_of(page, run)
    maps = page.one("#layer-conv2 .values .maps")
    page.point(maps, 0.6, 0.2)  # in the fifth map of the first row
    layer, index = page.js("return [state.number.layer, state.number.index]")
    channel, row, column = np.unravel_index(index, (16, 10, 10))
    assert (layer, channel) == (4, 4)
    assert shows(page.text("#number .value b"), truth.values[4][index])
    page.click(".channels button:nth-of-type(3)")  # the input's map 2
    x = truth.tensors[3].detach()
    window = x.numpy()[0, 2, row : row + 5, column : column + 5]
    weight = run.load_weights()["3.weight"].numpy()[channel, 2]
    dy = truth.gradients[4][index]
    cells = page.js(
        "return [...document.querySelectorAll('#number .matrix')].map((m) => [...m.querySelectorAll('td')].map((c) =>"
        " c.textContent))"
    )
    captions = [caption.text for caption in page.all("#number .grids figcaption")]
    assert captions[:3] == ["window", "filter", "products"]
    numbers = [np.array([number_in(cell) for cell in table]).reshape(5, 5) for table in cells]
    for found, expected in zip(numbers, [window, weight, window * weight]):
        assert abs(found - expected).max() <= 0.00501
    for found, expected, caption in zip(numbers[3:], [dy * weight, dy * window], captions[3:]):
        unit = number_in("1·" + caption.split("in units of ")[1])
        assert abs(found * unit - expected).max() <= 0.0501 * unit
    terms = re.findall(r"[-+] [^ ]+|(?<== )[^ ]+", page.text("#number .formula").replace("−", "-"))
    assert len(terms) == 6 + 1 + 1  # the sums of six maps, the bias, the result
    terms = [number_in(term) for term in terms]
    assert sum(terms[:-1]) == pytest.approx(terms[-1], abs=2e-3 * max(map(abs, terms)))
    assert f"column {row}·10 + {column} = {10 * row + column}" in page.text("#number .parts")
    columns = np.array(page.js("return Array.from(im2col(state.values[3], [6, 14, 14], LENET[4].geometry))"))
    assert_near(columns, F.unfold(x, 5).numpy().ravel())
    box = page.js("const i = document.querySelector('.im2col i'); return parseFloat(i.style.left)")
    assert box == pytest.approx(10 * row + column)  # in percent: there are 100 columns
    for side in ("values", "gradients"):  # in all six maps below, and lightly in the image
        assert len(page.all(f"#layer-pool1 .{side} .window")) == 6
        assert len(page.all(f"#layer-input .{side} .field")) == 1


def test_a_chosen_number_stays_until_it_is_let_go(page):
    first, second = page.all("#layer-sigmoid1 .maps")
    page.point(first, 0.1, 0.1, press=True)
    chosen = page.js("return state.number")
    assert chosen["pinned"] and page.text("#pin") == "Let go"
    page.point(second, 0.9, 0.9)
    assert page.js("return state.number") == chosen
    page.click("#pin")
    page.point(second, 0.9, 0.9)
    assert page.js("return state.number.index") != chosen["index"]


def test_every_kind_of_number_is_explained(page, run):
    truth = truth_of(page, run)
    for layer in range(LAST):
        index = len(truth.values[layer]) // 2
        page.js("chooseNumber(...arguments, true)", layer, index)
        value, gradient = (b.text for b in page.all("#number .value b"))
        assert shows(value, truth.values[layer][index])
        assert shows(gradient, truth.gradients[layer][index])
        headings = [heading.text for heading in page.all("#number h4")]
        assert {"Where it comes from", "Where its gradient flows back"} <= set(headings)
        if layer:
            assert shows(page.text("#number .result"), truth.values[layer][index])


def test_drawing_with_mouse_finger_and_keys(page, run):
    page.click("#empty")
    assert not image_on(page).any()
    board = page.one(".board")
    page.point(board, 0.25, 0.5, to=(0.75, 0.5))
    image = image_on(page).reshape(28, 28)
    assert (image[13:15, 7:21] == 1).all() and not image[:11].any() and not image[17:].any()
    page.point(board, 0.5, 0.2, kind="touch", to=(0.5, 0.8))
    assert (image_on(page).reshape(28, 28)[6:22, 13:15] == 1).all()
    page.click("#eraser")
    page.point(board, 0.25, 0.5, to=(0.75, 0.5))
    assert not image_on(page).reshape(28, 28)[13:15, 7:21].any()
    page.js("document.querySelector('.board').focus()")
    place = page.js("return [...document.querySelectorAll('.board .cursor')].length")
    assert place == 1
    before = image_on(page)
    page.press("\ue013", "\ue012", " ")  # up, left, and paint
    changed = np.flatnonzero(image_on(page) != before)
    assert len(changed) == 1
    assert page.text("#spoken").startswith(f"row {changed[0] // 28}, column {changed[0] % 28}: ")
    assert page.js("return state.chosen") == -1
    page.js(
        "const s = document.getElementById('label'); s.value = 7; s.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    assert_agrees(page, truth_of(page, run))
    assert page.js("return state.label") == 7


# Of how many terms a number is the sum, beside the one on the path; by layers.
OTHERS = {
    "there": {1: 24, 3: 3, 4: 149, 6: 3, 7: 399, 9: 119, 11: 83},
    "back": {10: 9, 8: 83, 6: 119, 3: 16 * 25 - 1},
}


def evaluated(line):
    """The value of a formula that is filled in, between its last two signs of equality, and what stands after them."""
    line = re.sub(r"\([^()]*[a-z][^()]*\)", "", line).replace("\u00a0", "")  # remarks, such as (24 others)
    *_, formula, result = line.split("=")
    powers = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    formula = re.sub("·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda power: f"e{power[1].translate(powers)}", formula)
    formula = formula.replace("−", "-").replace("·", "*").replace("e^(", "math.e**(")
    formula = re.sub("-ln (.*)", r"-math.log(\1)", formula)
    return eval(formula, {"math": __import__("math")}), number_in(result)


def test_following_a_number_there_and_back(page, run):
    truth = truth_of(page, run)
    page.js("chooseNumber(0, 14 * 28 + 14, true)")
    page.click("#go")
    assert page.js("return document.activeElement.closest('section').id") == "follow"
    assert (page.js("return [...document.querySelectorAll('#path-row, #path-column')].map((i) => i.value)")) == [
        "14",
        "14",
    ]
    assert "6,048,000,000" in page.text("#share")  # 6·25 windows, 16·25 of theirs, 120, 84 and 10 units
    assert shows(page.text("#share").split(",")[-1].rstrip("."), truth.gradients[0][14 * 28 + 14])
    steps = []
    while True:
        current = page.one("#ladder [aria-current]")
        lines = [line.text for line in page.all("#card .formula")]
        way, at = current.get_attribute("data-way"), int(current.get_attribute("data-at"))
        steps.append((way, at))
        shown = page.text("#card .result")
        if way == "there":
            place = page.js("return state.path[arguments[0]]", at) if at < LAST else 0
            assert shows(shown, truth.values[at][place] if at < LAST else truth.loss.item())
        elif at:
            assert shows(shown, truth.gradients[at][page.js("return state.path[arguments[0]]", at)])
        filled = next(line for line in reversed(lines) if "SGD" not in line)
        others = re.search(r"\((\d+) others\)", filled)
        assert (int(others[1]) if others else 0) == OTHERS[way].get(at, 0)
        found, result = evaluated(filled)
        assert found == pytest.approx(result, rel=0.02, abs=2e-4 * max(1, abs(result)))
        if steps[-1] == ("back", 0):
            break
        page.press("\ue014")  # the right arrow
        assert page.js("return document.activeElement.getAttribute('aria-current')") == "step"
    assert steps == [("there", at) for at in range(LAST + 1)] + [("back", at) for at in reversed(range(LAST))]
    weight = [int(i) for i in re.search(r"dw\[([\d, ]+)\]", lines[1])[1].split(",")]
    assert shows(shown, truth.weights["0.weight"].reshape(6, 1, 5, 5)[tuple(weight)])
    assert page.text("#next") == "Next step" and not page.one("#next").is_enabled()


def test_the_geometry_follows_its_sliders(page):
    rng = np.random.default_rng(1)
    settings = [{"size": 2, "kernel": 5, "stride": 1, "padding": 1, "dilation": 1}]
    settings += [
        dict(zip(("size", "kernel", "stride", "padding", "dilation"), map(int, drawn)))
        for drawn in rng.integers([1, 1, 1, 0, 1], [13, 8, 6, 5, 5], (8, 5))
    ]
    for setting in settings:
        for name, value in setting.items():
            page.slide(f"#geometry-{name}", value)
        n, k = setting["size"], setting["kernel"]
        options = {name: setting[name] for name in ("stride", "padding", "dilation")}
        shown = page.text("#geometry-result")
        try:
            size = F.conv2d(mt.zeros(1, 1, n, n), mt.zeros(1, 1, k, k), **options).shape[-1]
        except RuntimeError:
            assert shown == "no window"
            assert "smaller kernel" in page.text("#geometry-count")
            continue
        assert shown == str(size)
        formula = page.text("#geometry-formula").replace("\u00a0", "")
        inside = re.search(r"= ⌊\((.*)\) / (\d)⌋", formula)
        assert eval(inside[1].replace("−", "-").replace("·", "*")) // int(inside[2]) + 1 == size
        assert len(page.all("#geometry-output rect")) == size**2
        assert len(page.all("#geometry-input rect")) == (n + 2 * setting["padding"]) ** 2


def test_an_output_of_the_geometry_shows_its_window(page):
    for name, value in {"size": 6, "kernel": 2, "stride": 3, "padding": 1, "dilation": 2}.items():
        page.slide(f"#geometry-{name}", value)
    page.js("document.getElementById('geometry-output').focus()")
    page.press("\ue012", "\ue013", "\ue012", "\ue013", "\ue014")  # to the first, then one to the right
    assert "sees rows −1, 1 and columns 2, 4." in page.text("#geometry-rows")
    taken = page.js(
        "return [...document.querySelectorAll('#geometry-input rect')].findIndex((r) => r.matches('.taken'))"
    )
    assert taken == 3  # the first row of the padding
    assert len(page.all("#geometry-input .taken")) == 4
    assert len(page.all("#geometry-input .never")) == 64 - 16  # seen are rows and columns -1, 1, 2 and 4
    page.js(
        "document.querySelectorAll('#geometry-output rect')[3].dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert "sees rows 2, 4 and columns 2, 4." in page.text("#geometry-rows")


def test_the_slider_goes_through_the_epochs(page, run):
    history = run.load().history
    page.slide("#slider", 0)
    assert page.text("#measured") == STRINGS["epochs.initial"]["en"]
    assert "epoch 0" in page.text("#status")
    page.js("document.querySelector('#status button:last-of-type').click()")
    for row in (f"{history[0].loss:.3g}", f"{100 * history[0].test_acc:.1f}"):
        assert row in page.text("#measured")
    page.slide("#slider", 3)
    net = models.LeNet()
    net.load_state_dict(run.load_weights())
    labels, images = page.js("return [DATA.labels, IMAGES.map((image) => Array.from(image))]")
    guesses = net(mt.tensor(np.array(images, np.float32).reshape(-1, 1, 28, 28))).detach().numpy().argmax(1)
    right = guesses == labels
    assert page.text("#right-now") == f"Of the 50 pictures above, it has {right.sum()} right."
    marked = page.js("return [...document.querySelectorAll('#gallery button')].map((b) => b.matches('.is-wrong'))")
    assert marked == (~right).tolist()


# --- who uses it, and where ------------------------------------------------------------------------------


def test_the_keyboard_alone_is_enough(page):
    page.js("document.activeElement.blur(); scrollTo(0, 0); getSelection().removeAllRanges()")
    page.js("document.body.tabIndex = -1; document.body.focus()")
    seen = []
    for _ in range(120):
        page.press("\ue004")
        code = (
            "const e = document.activeElement, s = getComputedStyle(e), l = e.closest('label');"
            "const name = e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].textContent)"
            " || e.textContent;"
            "const place = e.closest('section, header, aside');"
            "return [e.tagName, e.id, place && place.id, name.trim(),"
            " s.outlineStyle !== 'none' || (l && getComputedStyle(l).outlineStyle !== 'none')]"
        )
        seen.append(page.js(code))
        if seen[-1][2] == "geometry" and seen[-1][1] == "geometry-output":
            break
    assert all(name for *_, name, _ in seen), "everything that can be reached has a name"
    assert all(outlined for *_, outlined in seen), "and shows that it has the focus"
    ids = {identity for _, identity, *_ in seen}
    assert {"eraser", "label", "empty", "pin", "go", "path-row", "goal", "take", "slider", "geometry-stride"} <= ids
    places = {place for _, _, place, *_ in seen}
    assert {"image", "network", "follow", "step", "epochs", "geometry"} <= places
    assert (
        sum(tag == "DIV" and place == "network" for tag, _, place, *_ in seen) == 22
    )  # values and gradients of layers

    page.js("document.querySelector('#gallery [aria-checked=true]').focus()")
    before = page.js("return state.chosen")
    page.press("\ue014")
    focused = "[...document.querySelectorAll('#gallery button')].indexOf(document.activeElement)"
    assert page.js(f"return [state.chosen, {focused}]") == [before + 1, before + 1]
    page.js("document.querySelector('#layer-pool2 .gradients .maps').focus()")
    page.press("\ue014", "\ue015", "\ue00f")  # right, down, and to the next map
    assert page.js("return state.number") == {"layer": 6, "index": 25 + 5 + 1, "pinned": True}
    assert page.text("#spoken").startswith("pooling 2, map 1, row 1, column 1: ")
    page.press("\ue00c")
    assert page.js("return state.number.pinned") is False
    page.js("document.getElementById('take').focus()")
    page.press(" ")
    assert page.js("return state.losses.length") == 2


def contrast(first, second):
    """The ratio of the luminances of two colours, as WCAG 2 defines it."""

    def luminance(colour):
        shares = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("theme", "system", "is_dark"), [("auto", "dark", True), ("light", "dark", False), ("dark", "light", True)]
)
def test_both_themes_can_be_read(page, theme, system, is_dark):
    features = [{"name": "prefers-color-scheme", "value": system}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.choose("theme", theme)
    names = ("ground", "raised", "ink", "quiet", "blue", "warm")
    style = "getComputedStyle(document.documentElement)"
    code = f"return arguments[0].map((name) => {style}.getPropertyValue('--' + name).trim())"
    colours = dict(zip(names, page.js(code, names)))
    assert (colours["ground"] == "#16181d") == is_dark
    assert page.js("return getComputedStyle(document.body).backgroundColor") == (
        "rgb(22, 24, 29)" if is_dark else "rgb(253, 252, 249)"
    )
    for name in ("ink", "quiet", "blue", "warm"):
        assert min(contrast(colours[name], colours[ground]) for ground in ("ground", "raised")) >= 4.5, name
    cells = "[...document.querySelectorAll('.matrix td')].map((c) => [c.style.color, c.style.backgroundColor])"
    for pair in page.js(f"return {cells}"):
        if all(pair):  # cells of the padding have no colour of their own
            first, second = ("#" + "".join(f"{int(level):02x}" for level in re.findall(r"\d+", c)) for c in pair)
            assert contrast(first, second) >= 4.5
    zero = page.js("return css(signedColour(0, 1))")
    assert zero == ("rgb(22 24 29)" if is_dark else "rgb(253 252 249)")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [360, 800, 1600])
def test_nothing_is_wider_than_the_screen(page, width, language):
    page.size(width, 780)
    page.choose("language", language)
    page.js("document.getElementById('number').setAttribute('data-open', '')")
    code = (
        "const wide = [...document.body.querySelectorAll('*')].filter((e) =>"
        " !e.closest('.scroll *, .unseen, .skip, .boxes, svg *') && e.getBoundingClientRect().right > innerWidth + 1);"
        "return [document.documentElement.scrollWidth, wide.map((e) => e.outerHTML.slice(0, 80))]"
    )
    for layer, index in ((1, 0), (4, 555), (6, 12), (7, 3), (11, 0)):
        page.js("chooseNumber(...arguments, true)", layer, index)
        assert page.js(code) == [width, []]
    for _ in range(3):
        page.js("document.getElementById('next').click()")
        assert page.js(code) == [width, []]
    page.slide("#geometry-size", 28)
    assert page.js(code) == [width, []]


def test_both_languages_are_complete():
    sources = {path.name: path.read_text(encoding="utf-8") for path in explore.PAGE.iterdir()}
    for key, texts in STRINGS.items():
        assert set(texts) == {"en", "zh"}, key
        assert all(texts.values()), key
        places = [sorted(set(re.findall(r"\{(\w+)\}", text))) for text in texts.values()]
        assert places[0] == places[1], key
    sources["explore.py"] = Path(explore.__file__).read_text(encoding="utf-8")
    code = "\n".join(text for name, text in sources.items() if name.endswith((".js", ".html", ".py")))
    assert not re.search(r"[\u4e00-\u9fff]", code.replace("中文", "")), "words stand in the table"
    used = re.findall(r"""["'`]([a-z]+(?:\.[\w.${}\[\]()]+)?)["'`]""", code)
    patterns = {re.sub(r"\\\$\\\{[^}]*\}", r"[\\w.]+", re.escape(key)) for key in used}
    unused = [key for key in STRINGS if not any(re.fullmatch(pattern, key) for pattern in patterns)]
    assert unused == []
    asked = re.findall(r"""\bt\("([\w.]+)"|data-(?:text|label)"?[=:] ?"([\w.]+)\"""", code)
    assert {a or b for a, b in asked} <= set(STRINGS)
    assert [STRINGS[f"class.{k}"]["en"] for k in range(10)] == data.FashionMNIST.classes


def test_the_switch_changes_every_word(page):
    page.choose("language", "zh")
    assert page.js("return document.documentElement.lang") == "zh-Hans"
    code = (
        "const texts = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);"
        "while (walk.nextNode())"
        " if (!walk.currentNode.parentElement.closest('script, style, noscript, #made, #language'))"
        " texts.push(walk.currentNode.textContent);"
        "for (const e of document.querySelectorAll('[aria-label]')) texts.push(e.getAttribute('aria-label'));"
        "return texts"
    )
    words = {word for text in page.js(code) for word in re.findall("[A-Za-z]{3,}", text)}
    names = {"sigmoid", "softmax", "Tab", "Page", "Down", "Esc", "SGD", "LeNet", "minitorch", "cnn", "lenet", "col"}
    assert words <= names
    page.choose("language", "en")
    assert page.js("return [document.documentElement.lang, document.title]") == ["en", STRINGS["title"]["en"]]
    assert not re.search(r"[\u4e00-\u9fff]", "".join(page.js(code)))


# --- the file --------------------------------------------------------------------------------------------


def data_in(page):
    """What a page is about, from its text."""
    return json.loads(re.search(r'id="data">(.*?)</script>', page)[1])


def weights_in(found):
    """The last weights of what a page is about."""
    numbers, weights = np.frombuffer(base64.b64decode(found["weights"]), "<f4"), {}
    for name, shape in found["parameters"]:
        weights[name], numbers = mt.tensor(numbers[: np.prod(shape)].reshape(shape)), numbers[np.prod(shape) :]
    return weights


def test_the_page_is_one_small_file(run):
    page = (run.folder / "explore.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 2_000_000
    assert not re.search(r"""(src|href)=["']?(https?:|//)|@import|url\(""", page)
    assert "<!-- " not in page
    for source in (*explore.PAGE.glob("*.js"), *explore.PAGE.glob("*.css")):
        assert max(map(len, source.read_text(encoding="utf-8").splitlines())) <= 120, source.name


def test_it_begins_with_the_picture_that_is_least_surely_right():
    found = data_in(IN_DOCS.read_text(encoding="utf-8"))
    net = models.LeNet()
    net.load_state_dict(weights_in(found))
    images = np.frombuffer(base64.b64decode(found["images"]), np.uint8).reshape(-1, 1, 28, 28)
    probabilities = net(mt.tensor(images / np.float32(255))).softmax(1).detach().numpy()
    right = np.flatnonzero(probabilities.argmax(1) == found["labels"])
    assert found["start"] == right[probabilities[right].max(1).argmin()]


def test_of_many_epochs_only_some_are_taken():
    net = models.LeNet()
    weights = {number: net.state_dict() for number in range(60)}
    history = [Epoch(number, 1.0, 0.5, 0.5, 1.0, 1.0) for number in range(1, 61)]
    page = explore_page(net, TinyFashion(train=False), weights, history=history)
    found = data_in(page)
    numbers = [number for number, *_ in found["earlier"]]
    assert numbers[0] == 0 and numbers[-1] == 59 and found["epoch"] == 60
    assert max(np.diff(numbers)) - min(np.diff(numbers)) <= 1
    assert 1_900_000 < len(page.encode()) < 2_000_000


def test_names_from_outside_stay_text(page, run, tmp_path):
    name = "</script><script>window.stolen = 1</script><b>x</b>"
    path = tmp_path / "page.html"
    html = explore_page(models.LeNet(), TinyFashion(train=False), recipe={"lr": 0.9, "model": name}, name=name)
    path.write_text(html, encoding="utf-8")
    page.driver.get(path.as_uri())
    try:
        assert page.js("return window.stolen || null") is None
        assert page.text("#made").count(name) == 2
    finally:
        page.driver.get((run.folder / "explore.html").as_uri())


def test_of_an_interrupted_epoch_the_one_before_is_shown(command, monkeypatch, run, tmp_path):
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    interrupted = training.Run(shutil.copytree(run.folder, tmp_path / "run"))
    checkpoint, net = interrupted.load(), models.LeNet()
    within = {"batch": 1, "batches": 2, "seconds": 1.0, "steps_took": 1.0, "sums": [1.0] * 3, "order": [], "now": []}
    optimizer = optim.SGD(net.parameters(), lr=0.9)
    interrupted.save(net, optimizer, checkpoint.history, checkpoint.recipe, within=within)
    code, out, _ = command("explore", interrupted.folder, "--out", tmp_path / "page.html")
    assert code == 0 and "page.html: 0." in out and "Open it in a browser" in out
    found, whole = (data_in(path.read_text()) for path in (tmp_path / "page.html", run.folder / "explore.html"))
    assert (found["weights"], found["epoch"], found["earlier"]) == (whole["weights"], 3, whole["earlier"])


def test_another_network_is_refused(command, tmp_path):
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with pytest.raises(ValueError, match="LeNet alone, and the network is none: expected 0.weight of shape"):
        explore_page(net, TinyFashion(train=False))
    with pytest.raises(ValueError, match="epoch 2 is none"):
        explore_page(models.LeNet(), TinyFashion(train=False), {2: net.state_dict()})
    run = training.Run(tmp_path / "mine")
    run.prepare()
    history = training.History([Epoch(1, 1.0, 0.5, 0.5, 1.0, 1.0)])
    run.save(net, optim.SGD(net.parameters(), lr=0.1), history, {"model": "mynet:Net"})
    code, _, err = command("explore", run.folder, "--offline")
    assert code == 1
    assert "explore shows LeNet alone" in err and "--model mynet:Net" in err
    code, _, err = command("explore", tmp_path / "nothing")
    assert code == 1 and "there is no checkpoint" in err


def test_the_page_in_docs_computes_what_the_library_does(page, run):
    """Its network is trained well, so that its numbers are far from those of the beginning."""
    found = data_in(IN_DOCS.read_text(encoding="utf-8"))
    page.driver.get(IN_DOCS.as_uri())
    try:
        truth = Truth(weights_in(found), image_on(page), page.js("return state.label"))
        page.js("document.getElementById('take').click()")
        assert_agrees(page, Truth(truth.stepped(0.1), image_on(page), page.js("return state.label")))
    finally:
        page.driver.get((run.folder / "explore.html").as_uri())


def test_the_page_in_docs_is_made_of_the_sources_as_they_are():
    page = IN_DOCS.read_text(encoding="utf-8")
    found = data_in(page)
    assert page == explore._fill(found), "write it again: minitorch-cnn explore runs/lenet --out docs/explore.html"
    assert [row[0] for row in found["history"]] == list(range(1, 11))
    assert [number for number, *_ in found["earlier"]] == list(range(10))
