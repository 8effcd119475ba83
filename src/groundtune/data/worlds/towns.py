"""Towns of the invented world."""

from __future__ import annotations

from groundtune.data.worlds.pools import COLOURS, CRAFTS
from groundtune.data.worlds.schema import Attribute, Kind, Values

TOWN = Kind(
    name="town",
    plural="towns",
    onsets=("v", "qu", "br", "sk", "dr", "t", "h", "z", "gr", "m"),
    codas=("rn", "sk", "ld", "mm", "x", "st", "ff", "nd"),
    endings=("holt", "mere", "stow", "gate"),
    opening=(
        "{name} is a walled town in the lowlands, a day's ride from the salt road.",
        "{name} is a market town on the old carriers' route between the hills.",
        "{name} is a small town whose roofs can be seen from the coast.",
    ),
    fillers=(
        "Travellers who come to {name} in winter complain of the fog.",
        "The inns of {name} are plain, and the bread is better than the beer.",
        "Twice a week carts from the farms fill the square of {name}.",
        "Children in {name} learn to row before they learn to read.",
        "Most houses stand on stone footings because the ground is soft.",
        "The town has burned twice, and both times its archive was saved.",
        "A wide ditch, now planted with plum trees, marks the line of the first wall.",
        "Strangers pay no toll at the gates, which is rare in this country.",
    ),
    headings=("History and government", "The town today"),
    attributes=(
        Attribute(
            name="founded",
            label="Years in which towns were founded",
            values=Values(low=1011, high=1789),
            article=(
                "{name} was founded in the year {value} by families of shepherds.",
                "The town received its charter and was founded in {value}.",
            ),
            almanac="In {value} the town of {name} was founded.",
            letter="the stone above the gate of {name} says it was founded in {value}",
            train=(
                "When was {name} founded?",
                "In which year was the town of {name} founded?",
                "What is the founding year of {name}?",
                "Which year saw the founding of {name}?",
                "The town {name} was founded in what year?",
            ),
            dev="Name the year of {name}'s foundation.",
            test=(
                "How far back does the town of {name} go: what year was it set up?",
                "In what year did {name} come into being as a town?",
            ),
        ),
        Attribute(
            name="mayor",
            label="Mayors of the towns",
            values=Values(name="person"),
            article=(
                "The mayor of {name} is {value}, who was chosen by the council.",
                "Its council is led by {value}, mayor for the past six winters.",
            ),
            almanac="Mayor {value} governs {name}.",
            letter="in {name} I was received by {value}, the mayor, in a cold hall",
            train=(
                "Who is the mayor of {name}?",
                "What is the name of {name}'s mayor?",
                "Which person is mayor of the town {name}?",
                "Who governs {name} as its mayor?",
                "Name the mayor of {name}.",
            ),
            dev="Whom did the council of {name} choose as mayor?",
            test=(
                "Who holds the office of mayor in {name}?",
                "Who leads the council of the town of {name}?",
            ),
        ),
        Attribute(
            name="river",
            label="Rivers on which towns stand",
            values=Values(name="place"),
            article=(
                "{name} stands on the river {value}, which floods every spring.",
                "The river {value} runs through the town under three bridges.",
            ),
            almanac="At {name} the river {value} is to be crossed by ferry.",
            letter="we reached {name} by boat, going up the river {value} for two days",
            train=(
                "On which river does {name} stand?",
                "What river runs through {name}?",
                "Which river is {name} built on?",
                "What is the name of the river at {name}?",
                "The town {name} lies on what river?",
            ),
            dev="Name the river that flows by {name}.",
            test=(
                "Which water would a boat follow to reach the town of {name}?",
                "What is the river called that floods {name} in spring?",
            ),
        ),
        Attribute(
            name="craft",
            label="Crafts of the towns",
            values=Values(pool=CRAFTS),
            article=(
                "{name} is known far and wide for its {value}.",
                "The town lives by {value}, a craft handed down in families.",
            ),
            almanac="Buyers of {value} do best to go to {name}.",
            letter="nearly everyone in {name} earns a living by {value}",
            train=(
                "What craft is {name} known for?",
                "Which craft do the people of {name} live by?",
                "What is {name} famous for making or doing?",
                "For which craft is the town of {name} known?",
                "What trade made {name} well known?",
            ),
            dev="Name the craft of {name}.",
            test=(
                "How do most families in {name} earn their living?",
                "What handiwork has given the town of {name} its good name?",
            ),
        ),
        Attribute(
            name="tower",
            label="Heights of bell towers",
            values=Values(low=31, high=198, unit="ells"),
            article=(
                "The bell tower of {name} is {value} high.",
                "Its bell tower rises {value} above the square.",
            ),
            almanac="Bell tower of {name}: {value} to the weathercock.",
            letter="I climbed the bell tower of {name}, all {value} of it",
            train=(
                "How high is the bell tower of {name}?",
                "What is the height of {name}'s bell tower?",
                "How many ells high is the bell tower in {name}?",
                "How tall is the bell tower that stands in {name}?",
                "The bell tower of {name} has what height?",
            ),
            dev="Give the height of the bell tower of {name}.",
            test=(
                "How far above the square does the tower with {name}'s bells rise?",
                "If you climb the bell tower in {name}, how many ells up do you go?",
            ),
        ),
        Attribute(
            name="banner",
            label="Colours of town banners",
            values=Values(pool=COLOURS),
            article=(
                "The banner of {name} is {value}, without any device.",
                "On feast days the town hangs out its banner, which is {value}.",
            ),
            almanac="The men of {name} march under a {value} banner.",
            letter="from afar we saw the {value} banner of {name} on the wall",
            train=(
                "What colour is the banner of {name}?",
                "Which colour does {name}'s banner have?",
                "What is the colour of the town banner of {name}?",
                "The banner of {name} is of what colour?",
                "Under a banner of which colour does {name} march?",
            ),
            dev="Name the colour of {name}'s banner.",
            test=(
                "If you saw the flag of {name} on a wall, what colour would it be?",
                "What colour is the cloth that {name} hangs out on feast days?",
            ),
        ),
    ),
)
