"""Ships of the invented world."""

from __future__ import annotations

from groundtune.data.worlds.pools import BEASTS, CARGOES, WOODS
from groundtune.data.worlds.schema import Attribute, Kind, Values

SHIP = Kind(
    name="ship",
    plural="ships",
    onsets=("l", "s", "el", "is", "or", "n", "am", "th", "al", "r"),
    codas=("vel", "ndra", "lune", "reth", "mis", "via", "ssa", "lor"),
    endings=(" Minor", " Fair", " Bold", " Late"),
    opening=(
        "The {name} is a two-masted trading ship that keeps to the coast.",
        "The {name} is an old ship, broad and slow, that has never lost a man.",
        "The {name} is a ship well known in all the harbours of the north shore.",
    ),
    fillers=(
        "Sailors say that the {name} steers badly with the wind behind her.",
        "The {name} was laid up for a year after a storm broke her rudder.",
        "Her crew sleeps in hammocks, and the cook has the only bunk.",
        "The ship carries two boats, of which one leaks.",
        "Harbour masters like the {name} because she pays her dues at once.",
        "A bell from an older vessel hangs beside the wheel.",
        "No passenger is taken on board between the first frost and the thaw.",
        "The sails of the {name} are patched, but her ropes are new.",
    ),
    headings=("Building", "Service"),
    attributes=(
        Attribute(
            name="launched",
            label="Years in which ships were launched",
            values=Values(low=1402, high=1897),
            article=(
                "The {name} was launched in {value} before a large crowd.",
                "She first touched water when she was launched in {value}.",
            ),
            almanac="The ship {name} was launched in {value}.",
            letter="they told me that the {name} was launched in {value}",
            train=(
                "When was the {name} launched?",
                "In which year was the ship {name} launched?",
                "What year was the {name} launched?",
                "Which year saw the launch of the {name}?",
                "The ship {name} was launched in what year?",
            ),
            dev="Name the year of the {name}'s launch.",
            test=(
                "In what year did the {name} first touch water?",
                "From which year does the ship called {name} date?",
            ),
        ),
        Attribute(
            name="length",
            label="Lengths of ships",
            values=Values(low=24, high=171, unit="ells"),
            article=(
                "The {name} measures {value} from stem to stern.",
                "The hull is {value} long at the waterline.",
            ),
            almanac="Berth for the {name}: {value}.",
            letter="I paced the deck of the {name} and made it {value}",
            train=(
                "How long is the {name}?",
                "What is the length of the ship {name}?",
                "How many ells long is the {name}?",
                "What does the {name} measure from stem to stern?",
                "The ship {name} has what length?",
            ),
            dev="Give the length of the {name} in ells.",
            test=(
                "How much room does the hull of the {name} take up along a quay?",
                "Walking the {name} from end to end, how far do you go?",
            ),
        ),
        Attribute(
            name="captain",
            label="Captains of the ships",
            values=Values(name="person"),
            article=(
                "The captain of the {name} is {value}, a careful navigator.",
                "She sails under {value}, her captain since the great storm.",
            ),
            almanac="Captain {value} commands the {name}.",
            letter="{value}, captain of the {name}, would not let me near the wheel",
            train=(
                "Who is the captain of the {name}?",
                "What is the name of the {name}'s captain?",
                "Who commands the ship {name}?",
                "Which captain does the {name} sail under?",
                "Name the captain of the {name}.",
            ),
            dev="Under whose command is the {name}?",
            test=(
                "Who gives the orders aboard the {name}?",
                "Which navigator is in charge of the ship {name}?",
            ),
        ),
        Attribute(
            name="timber",
            label="Timber of the ships",
            values=Values(pool=WOODS),
            article=(
                "The keel of the {name} is made of {value}.",
                "Her builders made the keel of {value}, which seldom rots.",
            ),
            almanac="Keel of the {name}: {value}, sound at the last survey.",
            letter="the carpenter of the {name} swore that her keel is {value}",
            train=(
                "What is the keel of the {name} made of?",
                "Which wood was used for the keel of the {name}?",
                "Of what timber is the {name}'s keel?",
                "What wood did the builders of the {name} use for the keel?",
                "The keel of the ship {name} is of which wood?",
            ),
            dev="Name the wood of the {name}'s keel.",
            test=(
                "Which tree gave the {name} her keel?",
                "What material would you find in the keel of the ship {name}?",
            ),
        ),
        Attribute(
            name="cargo",
            label="Cargoes of the ships",
            values=Values(pool=CARGOES),
            article=(
                "The {name} mostly carries {value} along the coast.",
                "Her usual cargo is {value}, loaded in autumn.",
            ),
            almanac="Expect {value} when the {name} comes in.",
            letter="the hold of the {name} was full of {value} up to the hatches",
            train=(
                "What cargo does the {name} carry?",
                "What does the ship {name} mostly carry?",
                "Which goods are the usual cargo of the {name}?",
                "What is loaded on the {name}?",
                "The {name} carries what cargo?",
            ),
            dev="Name the usual cargo of the {name}.",
            test=(
                "What would you expect to find in the hold of the {name}?",
                "Which goods do merchants send by the ship {name}?",
            ),
        ),
        Attribute(
            name="figurehead",
            label="Figureheads of the ships",
            values=Values(pool=BEASTS),
            article=(
                "The figurehead of the {name} is a carved {value}.",
                "At her bow she bears a {value}, gilded every second year.",
            ),
            almanac="Know the {name} by her figurehead, a {value}.",
            letter="the gilt {value} at the bow of the {name} frightened the children",
            train=(
                "What is the figurehead of the {name}?",
                "Which animal is the figurehead of the {name}?",
                "What creature does the {name} bear at her bow?",
                "What does the figurehead of the ship {name} show?",
                "The bow of the {name} bears which animal?",
            ),
            dev="Name the animal on the {name}'s bow.",
            test=(
                "Which beast is carved at the front of the {name}?",
                "By the carving of what creature do people know the ship {name}?",
            ),
        ),
    ),
)
