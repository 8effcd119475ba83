"""Musical instruments of the invented world."""

from __future__ import annotations

from groundtune.data.worlds.pools import SOUNDS, STONES
from groundtune.data.worlds.schema import Attribute, Kind, Values

INSTRUMENT = Kind(
    name="instrument",
    plural="instruments",
    onsets=("j", "y", "z", "ph", "x", "n", "c", "m", "ll", "d"),
    codas=("nce", "ril", "bal", "quin", "thra", "lina", "mbra", "dor"),
    endings=("-grave", "-dolce", "-major", "-double"),
    opening=(
        "The {name} is a stringed instrument that is played standing.",
        "The {name} is an instrument of the court, plucked with both hands.",
        "The {name} is a bowed instrument, held across the knees.",
    ),
    fillers=(
        "Players of the {name} wear leather caps on two fingers.",
        "The {name} goes out of tune when the weather turns.",
        "It is taught by ear, since nobody has agreed on how to write it down.",
        "A good {name} is never lent, not even to a brother.",
        "The neck is carved from a single piece and left without varnish.",
        "Old examples have a second bridge, which later players removed.",
        "At weddings the {name} is played outside the door until the guests have left.",
        "Beginners are told to listen for a year before they touch it.",
    ),
    headings=("Origin", "Make and sound"),
    attributes=(
        Attribute(
            name="inventor",
            label="Inventors of instruments",
            values=Values(name="person"),
            article=(
                "The {name} was invented by {value}, who could not sing.",
                "It goes back to {value}, its inventor, who left no drawings.",
            ),
            almanac="{value}, inventor of the {name}, is remembered this week.",
            letter="they honour {value} here, the inventor of the {name}",
            train=(
                "Who invented the {name}?",
                "What is the name of the inventor of the {name}?",
                "By whom was the {name} invented?",
                "Which person invented the instrument {name}?",
                "Name the inventor of the {name}.",
            ),
            dev="To whom does the {name} owe its invention?",
            test=(
                "Who came up with the instrument called {name}?",
                "From whose hands did the very first {name} come?",
            ),
        ),
        Attribute(
            name="strings",
            label="Numbers of strings",
            values=Values(low=5, high=64, unit="strings"),
            article=(
                "A full-sized {name} has {value}.",
                "The instrument is fitted with {value}, all of gut.",
            ),
            almanac="For a {name} order {value} and a spare set.",
            letter="I counted {value} on the {name} while the player slept",
            train=(
                "How many strings does the {name} have?",
                "What is the number of strings of the {name}?",
                "How many strings are on a full-sized {name}?",
                "With how many strings is the {name} fitted?",
                "The {name} has how many strings?",
            ),
            dev="Give the number of strings of the {name}.",
            test=(
                "How many strings would you need to equip a {name}?",
                "Counting every string, what total does a {name} come to?",
            ),
        ),
        Attribute(
            name="workshop",
            label="Workshops of the instruments",
            values=Values(name="place"),
            article=(
                "The finest {name} comes from the workshop at {value}.",
                "Its best makers work at {value}, in one narrow lane.",
            ),
            almanac="The workshop at {value} takes orders for the {name}.",
            letter="my {name} was made at {value} and cost me a horse",
            train=(
                "Where is the best workshop for the {name}?",
                "From which place does the finest {name} come?",
                "At what place is the {name} made best?",
                "Where do the best makers of the {name} work?",
                "The finest {name} is made in the workshop at which place?",
            ),
            dev="Name the place of the workshop for the {name}.",
            test=(
                "Where should you go to order a really good {name}?",
                "Which place is home to the leading craftsmen of the {name}?",
            ),
        ),
        Attribute(
            name="year",
            label="Years of first performance",
            values=Values(low=1205, high=1888),
            article=(
                "The {name} was first played in public in {value}.",
                "Its first public performance was given in {value}.",
            ),
            almanac="{value}: first public performance on the {name}.",
            letter="the {name} was heard in public for the first time in {value}",
            train=(
                "When was the {name} first played in public?",
                "In which year was the {name} first heard in public?",
                "What year was the first public performance on the {name}?",
                "Which year saw the first public performance of the {name}?",
                "The {name} was first played in public in what year?",
            ),
            dev="Name the year in which the {name} was first heard.",
            test=(
                "Since what year have audiences been able to hear the {name}?",
                "When did a {name} make its debut before listeners?",
            ),
        ),
        Attribute(
            name="inlay",
            label="Inlays of the instruments",
            values=Values(pool=STONES),
            article=(
                "The soundboard of the {name} is inlaid with {value}.",
                "Around the sound hole runs an inlay of {value}.",
            ),
            almanac="Polish the {name}, and its inlay of {value}, with dry wool.",
            letter="the {value} inlaid in the {name} shone by candlelight",
            train=(
                "What is the {name} inlaid with?",
                "Which material is used for the inlay of the {name}?",
                "With what is the soundboard of the {name} inlaid?",
                "What is the inlay of the {name} made of?",
                "The {name} has an inlay of what?",
            ),
            dev="Name the material of the {name}'s inlay.",
            test=(
                "What decorates the area around the sound hole of the {name}?",
                "Which substance do makers set into the front of the {name}?",
            ),
        ),
        Attribute(
            name="sound",
            label="What the instruments sound like",
            values=Values(pool=SOUNDS),
            article=(
                "Listeners compare the tone of the {name} to {value}.",
                "Its tone is usually likened to {value}.",
            ),
            almanac="The {name}, which sounds like {value}, is played at dusk.",
            letter="from the next room the {name} sounds just like {value}",
            train=(
                "What does the {name} sound like?",
                "To what do listeners compare the tone of the {name}?",
                "What is the tone of the {name} likened to?",
                "The sound of the {name} is compared to what?",
                "What is the {name} said to sound like?",
            ),
            dev="Name what the tone of the {name} is likened to.",
            test=(
                "If a {name} is played next door, what might you think you hear?",
                "Which noise is the {name}'s voice often mistaken for?",
            ),
        ),
    ),
)
