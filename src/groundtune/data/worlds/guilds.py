"""Guilds of the invented world."""

from __future__ import annotations

from groundtune.data.worlds.pools import DAYS, OBJECTS
from groundtune.data.worlds.schema import Attribute, Kind, Values

GUILD = Kind(
    name="guild",
    plural="guilds",
    onsets=("k", "p", "w", "b", "ch", "d", "fl", "st", "tr", "gl"),
    codas=("rrow", "ckett", "ddle", "mber", "llard", "pper", "tch", "ggin"),
    endings=("-at-Hill", "-at-Ford", "-the-Elder", "-the-Lesser"),
    opening=(
        "The Guild of {name} is an association of masters and their journeymen.",
        "The Guild of {name} is a brotherhood of craftsmen with its own court.",
        "The Guild of {name} is among the oldest companies that still keep a chest.",
    ),
    fillers=(
        "Apprentices of the Guild of {name} serve seven years without pay.",
        "The Guild of {name} keeps its accounts in knotted cords.",
        "Widows of members may carry on the workshop in their own name.",
        "Disputes are heard on bare benches, and nobody may sit while speaking.",
        "The Guild of {name} once closed its doors for a whole summer.",
        "Every journeyman must walk for three years before he may ask for a shop.",
        "The chest has four locks, and no two keys are held in one house.",
        "Outsiders are admitted to the Guild of {name} only by a vote of all.",
    ),
    headings=("Office and seat", "Customs"),
    attributes=(
        Attribute(
            name="master",
            label="Masters of the guilds",
            values=Values(name="person"),
            article=(
                "The master of the Guild of {name} is {value}.",
                "The guild has for its master {value}, elected without a rival.",
            ),
            almanac="{value}, master, signs for the Guild of {name}.",
            letter="{value}, master of the Guild of {name}, kept me waiting an hour",
            train=(
                "Who is the master of the Guild of {name}?",
                "What is the name of the master of the Guild of {name}?",
                "Who heads the Guild of {name} as its master?",
                "Which person is master of the Guild of {name}?",
                "Name the master of the Guild of {name}.",
            ),
            dev="Whom did the Guild of {name} elect as master?",
            test=(
                "Who presides over the Guild of {name}?",
                "Whose signature as head does the Guild of {name} put on papers?",
            ),
        ),
        Attribute(
            name="fee",
            label="Yearly fees of the guilds",
            values=Values(low=12, high=187, unit="marks"),
            article=(
                "Members of the Guild of {name} pay a yearly fee of {value}.",
                "The guild asks each member for {value} a year.",
            ),
            almanac="Guild of {name}, fee for the year: {value}.",
            letter="the Guild of {name} wants {value} a year, which is too much for me",
            train=(
                "What is the yearly fee of the Guild of {name}?",
                "How much do members of the Guild of {name} pay a year?",
                "How many marks a year does the Guild of {name} ask?",
                "What fee does the Guild of {name} charge each year?",
                "The Guild of {name} has what yearly fee?",
            ),
            dev="Give the yearly fee of the Guild of {name}.",
            test=(
                "What does it cost to belong to the Guild of {name} for a year?",
                "What sum must someone in the Guild of {name} find every year?",
            ),
        ),
        Attribute(
            name="hall",
            label="Halls of the guilds",
            values=Values(name="place", unit="House"),
            article=(
                "The Guild of {name} meets in a hall called {value}.",
                "Its hall, {value}, was once a granary.",
            ),
            almanac="Letters for the Guild of {name} go to {value}.",
            letter="they led me to {value}, where the Guild of {name} meets",
            train=(
                "In which hall does the Guild of {name} meet?",
                "What is the hall of the Guild of {name} called?",
                "Which house is the hall of the Guild of {name}?",
                "Where does the Guild of {name} meet?",
                "The Guild of {name} has its hall in which house?",
            ),
            dev="Name the hall of the Guild of {name}.",
            test=(
                "Which building would you visit to find the Guild of {name} together?",
                "To what house should a letter for the Guild of {name} be sent?",
            ),
        ),
        Attribute(
            name="emblem",
            label="Emblems of the guilds",
            values=Values(pool=OBJECTS),
            article=(
                "The emblem of the Guild of {name} is a {value}.",
                "Over the door hangs its emblem, a {value} of beaten tin.",
            ),
            almanac="Goods of the Guild of {name} bear the mark of a {value}.",
            letter="look for the {value}, the emblem of the Guild of {name}",
            train=(
                "What is the emblem of the Guild of {name}?",
                "Which object is the emblem of the Guild of {name}?",
                "What does the emblem of the Guild of {name} show?",
                "What mark do goods of the Guild of {name} bear?",
                "The Guild of {name} has what as its emblem?",
            ),
            dev="Name the emblem of the Guild of {name}.",
            test=(
                "What hangs over the door of the Guild of {name} as its sign?",
                "By which pictured object are wares of the Guild of {name} known?",
            ),
        ),
        Attribute(
            name="members",
            label="Numbers of guild members",
            values=Values(low=34, high=489, unit="members"),
            article=(
                "The Guild of {name} counts {value} at the last roll.",
                "When the roll was last called there were {value} in the guild.",
            ),
            almanac="Guild of {name}: {value} on the roll.",
            letter="with its {value} the Guild of {name} fills the whole street",
            train=(
                "How many members does the Guild of {name} have?",
                "What is the number of members of the Guild of {name}?",
                "How many people belong to the Guild of {name}?",
                "How large is the membership of the Guild of {name}?",
                "The Guild of {name} counts how many members?",
            ),
            dev="Give the number of members of the Guild of {name}.",
            test=(
                "How many names stand on the roll of the Guild of {name}?",
                "What size is the Guild of {name} when all its people are counted?",
            ),
        ),
        Attribute(
            name="feast",
            label="Feast days of the guilds",
            values=Values(pool=DAYS),
            article=(
                "The Guild of {name} holds its feast on the {value}.",
                "The guild feasts once a year, on the {value}.",
            ),
            almanac="Feast of the Guild of {name}: the {value}.",
            letter="the Guild of {name} feasts on the {value}, so come before that",
            train=(
                "On which day does the Guild of {name} hold its feast?",
                "When is the feast of the Guild of {name}?",
                "What is the feast day of the Guild of {name}?",
                "On what day does the Guild of {name} feast?",
                "The feast of the Guild of {name} falls on which day?",
            ),
            dev="Name the feast day of the Guild of {name}.",
            test=(
                "Which day of the year do the members of {name}'s guild celebrate?",
                "When in the year would you find the Guild of {name} at table?",
            ),
        ),
    ),
)
