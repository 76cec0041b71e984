"""Short tales written by a grammar, each with its exact probability.

Real text has no known entropy; these do. A story is a chain of even choices between the options
below, and the text tells which were taken, so its probability is the product of 1/options. No model
can have a lower expected loss than the grammar's entropy: it is the floor under every chart.

How a template is read: `{toy}` is written out by one of the options of "toy"; `{toy>t}` does so and
remembers it as t; `{=t}` repeats what was remembered; `{=h.she}` is the pronoun that fits it, and
`{=h.She}` the same at the start of a sentence.
"""

import math
import random
import re
from collections.abc import Iterator

FEMALE = "Ada Bella Clara Daisy Edith Flora Grace Hazel Ivy Juno Lily Mabel Nora Olive Pearl Ruby".split()
MALE = "Arlo Basil Caleb Dexter Emil Felix George Hugo Ivan Jasper Leo Milo Ned Oscar Piers Rufus".split()
FRIENDS = "Amber Bruno Coco Dot Ernie Fern Gus Holly Iggy Jet Kip Luna Moss Nutmeg Otto Pip".split()
PRONOUNS = {name: {"she": "she", "her": "her"} for name in FEMALE}
PRONOUNS |= {name: {"she": "he", "her": "his"} for name in MALE}

GRAMMAR: dict[str, list[str]] = {
    "story": [
        "{opening} {wish} {episode} {ending}",
        "{opening} {wish} {episode} {bridge} {episode} {ending}",
    ],
    "opening": [
        "Once upon a time there lived a {trait} and {trait} {kind} called {hero>h}. {=h.Her} home was {place}, and {=h.her} best friend was a {trait} {animal} named {friend>f}.",
        "{hero>h} was a {trait} {kind} who lived {place}. Next door to {=h} lived {friend>f}, a {trait} and {trait} {animal}.",
        "Long ago, {place}, a {trait} {kind} named {hero>h} had {food} for {meal} with a {size} {animal} named {friend>f}. They were both very {trait}.",
        "Everyone {place} knew {hero>h}, the {trait} {kind}, and {friend>f}, the {trait} {animal}.",
    ],
    "wish": [
        "One {weather} {day} in {season}, {=h.she} lost a {colour} {toy>t}, because {reason}.",
        '"I wish I had a {colour} {toy>t}," said {=h} one {day}, "because {giver} {place} has one, and my {tool} is {size}."',
        "For {number} {weather} {span}, {=h.she} had been looking for a {colour} {toy>t} that {giver} lost in the {spot}.",
        '"Have you seen my {colour} {toy>t}?" asked {=h}. "I had it in the {spot}, under {number} {small}," {=h.she} said, and felt {feeling}.',
    ],
    "reason": [
        "a {size} {beast} {past} it",
        "it fell into the {water} {place}",
        "{giver} {past} it for a {tool}",
        "the {season} was so {weather}",
    ],
    "episode": [
        "That {day} it was {weather} and {weather}, so they hid under a {size} {plant>q} and ate {food} with {food}. Behind the {=q} sat a {colour} {beast>b}, who {noise} and {noise}. They gave the {=b} some {food}, so it let them go {direction}.",
        "They walked {direction} to the {spot} and looked behind every {plant} and every {plant}. They found only {number} {colour} {small>m}. One was {feeling}, the other {feeling}, so they left the {=m} in the {building}.",
        'On the way they heard a {feeling} voice. "Help me!" cried a {beast>b}. "I am stuck in the {water}." So they fetched a {size} {tool>o}, and with the {=o} they pulled out the {=b}. "Look for {number} {colour} {small}," it said, and {noise}.',
        "{=f} climbed a {size} {plant} to look around, but fell into the {size} {water>w}. Because the {=w} was {weather}, {=f} came out {feeling} and {feeling}, and {noise}.",
        'At the {spot} sat a {trait} old {kind>k} with {number} {small>m}. "Which way to the {colour} {building}?" they asked. The {=k} {noise}. "First count my {=m}," said the {=k}, and pointed {direction}.',
        "A {size} {beast>b} stood in the {spot} with a {tool>o}. Because they were so {trait}, the {=b} let them {action} and {action}. Then it {noise}, gave them the {=o} and went {direction}.",
    ],
    "bridge": [
        "The next {day}, they tried again.",
        "After {number} {span} of {food} they went on.",
        '"Do not give up," said {=f}, who {noise}.',
        "That night they dreamed of {colour} {food} and woke up {feeling}.",
        "They rested, ate {food} with {food} and {noise}.",
    ],
    "ending": [
        "At last, inside a {size} {building}, they found the {colour} box of a {trait} {kind}, and in it, among {number} {small}, lay what they were looking for. They {noise} and had {food} for {meal}.",
        'When they came home, {giver>g} was waiting with {food} and the {=t}. "It was in the {spot} all along, under {number} {small}," said {=g}, who was {feeling}.',
        "They never found it. But {=h} had {=f}, and that was better than {number} {colour} {small}.",
        'In {season} a {colour} {beast>e} brought back what was lost. "I was {feeling} and {feeling}," said the {=e}, "so I {past} it." They forgave the {=e} and sang a {size} song.',
        "So {=h.she} made one out of {number} {colour} {small} and a {tool}. It was {feeling} work, but they were {feeling} ever after.",
    ],
    "hero": FEMALE + MALE,
    "friend": FRIENDS,
    "trait": "brave clever gentle helpful jolly kind lazy merry noisy patient proud quiet shy silly stubborn wise careful daring faithful foolish frank greedy nimble polite".split(),
    "kind": "baker cobbler cook dancer farmer fiddler fisher gardener goatherd juggler king miller potter sailor shepherd tailor barber butcher carpenter drummer ferryman hunter painter weaver".split(),
    "animal": "badger bat beaver cat dog donkey duck frog goat hedgehog lamb mole mouse parrot pony rabbit calf chicken gander hamster kitten lizard pigeon turtle".split(),
    "beast": "bear boar crane crow dragon falcon fox giant goose lynx moose snake stag toad troll wolf buffalo camel cobra gorilla hyena jackal panther tiger".split(),
    "colour": "beige black blue bronze copper crimson golden green grey pink purple red silver scarlet white yellow chestnut cream fawn lilac lime maroon navy tan".split(),
    "toy": "ball bell book bow button clock crown doll drum flute horn kite lamp marble ring whistle".split(),
    "tool": "barrel basket blanket broom bucket chain fork hammer ladder net pole rake rope shovel spoon wagon".split(),
    "plant": "bramble cactus cedar chestnut hedge holly laurel lilac maple nettle palm pine rose thistle vine willow".split(),
    "spot": "attic barn cave cellar churchyard desert forest gorge harbour marsh market meadow orchard quarry stable valley".split(),
    "water": "bay bog brook canal ditch fountain lake moat pond pool puddle river sea stream swamp well".split(),
    "building": "bakery bridge cabin castle chapel cottage forge library lighthouse mill palace school ship shop temple tower".split(),
    "food": "apples beans berries bread butter cheese cherries figs honey jam noodles nuts pancakes pears soup turnips biscuits cabbage carrots cream dates dumplings lentils lettuce mushrooms muffins mustard onions peaches peas plums waffles".split(),
    "small": "acorns beads bones buttons candles coins feathers keys mittens nails needles pebbles petals ribbons shells thimbles badges bottles bricks candies cards chestnuts corks cups dice hooks leaves marbles pencils seeds stamps sticks".split(),
    "number": "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen twenty".split(),
    "feeling": "grumpy bored cheerful cold glad thirsty lonely muddy nervous puzzled sad sleepy sorry surprised tired warm bitter calm dizzy frightened gloomy hopeless jealous lucky mighty moody peaceful pleased restless shaken thankful weary".split(),
    "weather": "bitter bright chilly cloudy damp dark dry dusty foggy frosty gloomy hot rainy snowy stormy windy clammy crisp drizzly hazy mild misty muggy sunny".split(),
    "size": "broad crooked deep curly giant heavy huge little long narrow round short strange tall thick tiny battered bent fragile dented hollow lopsided massive slender".split(),
    "noise": "bowed clapped coughed cried giggled grinned growled hiccupped laughed nodded shrugged sighed sneezed snored whistled yawned babbled blinked blushed chuckled frowned grumbled howled hummed moaned mumbled shivered shouted sniffed squeaked stretched trembled".split(),
    "action": "dance hum jump laugh play read rest run sing skip sleep smile spin swim think write".split(),
    "past": "borrowed bought buried caught chewed cleaned followed hid kept licked mended painted polished stole swallowed took".split(),
    "day": "afternoon birthday day evening Friday holiday midnight Monday morning night noon Saturday Sunday Thursday Tuesday Wednesday".split(),
    "span": "days hours minutes months nights seasons weeks years".split(),
    "season": "autumn spring summer winter".split(),
    "meal": "breakfast dinner lunch supper".split(),
    "direction": "downhill east inland north south underground uphill west".split(),
    "giver": "a stranger,grandfather,grandmother,old Nan,the beekeeper,the blacksmith,the mayor,the midwife,the miner,the neighbour,the pirate,the poet,the princess,the schoolmaster,the soldier,the widow".split(","),
    "place": "above the clouds,at the edge of a wood,behind the waterfall,beside a railway,between two hills,by the shore,far beyond the mountains,in a hollow log,in a windmill,inside a volcano,near an orange grove,on a floating raft,on an island,over a bookshop,under a staircase,within the city walls,across the border,along the coast,at the foot of a cliff,below a glacier,between the dunes,in a lonely village,on a barge,outside the gates".split(","),
}  # fmt: skip

_SLOT = re.compile(r"\{(=?)(\w+)(?:>(\w+))?(?:\.(\w+))?\}")


def _parse(template: str) -> list[tuple[str, str, str | None, str | None]]:
    """Cut a template into (kind, name, remembered as, pronoun); kind is text, choose or repeat."""
    parts, end = [], 0
    for slot in _SLOT.finditer(template):
        if slot.start() > end:
            parts.append(("text", template[end : slot.start()], None, None))
        repeat, name, remember, pronoun = slot.groups()
        parts.append(("repeat" if repeat else "choose", name, remember, pronoun))
        end = slot.end()
    if end < len(template):
        parts.append(("text", template[end:], None, None))
    return parts


_PARSED = {name: [_parse(option) for option in options] for name, options in GRAMMAR.items()}
_BINDS = {part[2]: part[1] for options in _PARSED.values() for parts in options for part in parts if part[2]}


def write_story(rng: random.Random) -> tuple[str, float]:
    """Write one story. Returns its text and the natural log of its exact probability (nats, negative)."""
    pieces: list[str] = []
    memory: dict[str, str] = {}
    log_prob = 0.0

    def expand(name: str) -> None:
        nonlocal log_prob
        options = _PARSED[name]
        log_prob -= math.log(len(options))
        for kind, value, remember, pronoun in options[rng.randrange(len(options))]:
            start = len(pieces)
            if kind == "text":
                pieces.append(value)
            elif kind == "repeat":
                pieces.append(_repeat(memory[value], pronoun))
            else:
                expand(value)
                if remember:
                    memory[remember] = "".join(pieces[start:])

    expand("story")
    return "".join(pieces), log_prob


def stories(seed: int, count: int | None = None) -> Iterator[tuple[str, float]]:
    """Yield `count` stories (endlessly if None) with their log-probabilities; the same for the same seed."""
    rng = random.Random(seed)
    while count is None or count > 0:
        yield write_story(rng)
        count = count and count - 1


def derivations(text: str) -> list[float]:
    """The log-probability of every way in which the grammar can write `text`.

    One entry for a story, none for anything else; a second would mean that the text does not tell
    which choices were taken, and that `write_story` overstates its surprise. The tests look for one.
    """

    def match_option(parts, at, memory, log_prob):
        if not parts:
            yield at, memory, log_prob
            return
        (kind, value, remember, pronoun), rest = parts[0], parts[1:]
        if kind == "choose":
            for end, known, p in match(value, at, memory, log_prob):
                bound = known | {remember: text[at:end]} if remember else known
                yield from match_option(rest, end, bound, p)
        else:
            expected = value if kind == "text" else _repeat(memory[value], pronoun)
            if text.startswith(expected, at):
                yield from match_option(rest, at + len(expected), memory, log_prob)

    def match(name, at, memory, log_prob):
        options = _PARSED[name]
        for parts in options:
            yield from match_option(parts, at, memory, log_prob - math.log(len(options)))

    return [p for end, _, p in match("story", 0, {}, 0.0) if end == len(text)]


def entropy_rate() -> tuple[float, float]:
    """The grammar's exact entropy (nats a story) and its expected length (UTF-8 bytes a story).

    Choices are independent, so both add up: a nonterminal of n options costs ln n and, on average
    over them, whatever its slots cost. Their ratio over ln 2 is the floor in bits per byte.
    """
    known: dict[str, tuple[float, float]] = {}

    def expected(name: str) -> tuple[float, float]:
        if name not in known:
            options = _PARSED[name]
            entropy, length = math.log(len(options)), 0.0
            for kind, value, _, pronoun in (part for parts in options for part in parts):
                if kind == "text":
                    length += len(value) / len(options)
                elif kind == "choose":
                    inner = expected(value)
                    entropy += inner[0] / len(options)
                    length += inner[1] / len(options)
                else:
                    words = GRAMMAR[_BINDS[value]]
                    mean = sum(len(_repeat(word, pronoun)) for word in words) / len(words)
                    length += mean / len(options)
            known[name] = entropy, length
        return known[name]

    return expected("story")


def _repeat(value: str, pronoun: str | None) -> str:
    if pronoun is None:
        return value
    word = PRONOUNS[value][pronoun.lower()]
    return word.capitalize() if pronoun[0].isupper() else word
