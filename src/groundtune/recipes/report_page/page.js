// What the page does: weights are moved and judged again, cases are chosen. The rule
// stands above; without this script everything is there, for the weights of the run.
(() => {
  const data = JSON.parse(document.getElementById("figures").textContent);
  const at = (id) => document.getElementById(id);
  const form = at("weights-form");

  const number = (value, digits) =>
    value.toLocaleString("en-US", { maximumFractionDigits: digits });
  const round = (value) => Number(value.toPrecision(2));

  // To the cent; below ten cents, to two figures.
  const money = (value) =>
    value >= 0.1 || value === 0
      ? value.toLocaleString("en-US", {
          minimumFractionDigits: 2, maximumFractionDigits: 2,
        })
      : value.toFixed(Math.min(12, 1 - Math.floor(Math.log10(value))));
  const amount = (value, unit) => {
    if (unit === "money") return `${money(value)} ${data.weights.prices.currency}`;
    for (const [size, name] of [[3600, "h"], [60, "min"]]) {
      if (value >= 2 * size) {
        const told = (value / size).toLocaleString("en-US", {
          minimumFractionDigits: 1, maximumFractionDigits: 1,
        });
        return `${told} ${name}`;
      }
    }
    return `${value < 100 ? String(Number(value.toPrecision(3))) : number(value, 0)} s`;
  };

  // Each weight is a list of stops; the one that the page began with is among them.
  const between = (first, last, count) =>
    Array.from({ length: count }, (_, i) =>
      round(first * (last / first) ** (i / (count - 1)))
    );
  const slowest = Math.max(...data.arms.map((arm) => arm.p95_ms || 0));
  const start = structuredClone(data.weights);
  const ratioOf = (prices) =>
    prices.prompt_tokens && prices.tuned_prompt_tokens !== null
      ? prices.tuned_prompt_tokens / prices.prompt_tokens
      : null;
  const sliders = {
    questions_per_month: {
      stops: between(100, 100e6, 61),
      read: (w) => w.questions_per_month,
      write: (w, value) => (w.questions_per_month = value),
      told: (value) => number(value, 0),
    },
    updates_per_month: {
      stops: [0, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120],
      read: (w) => w.updates_per_month,
      write: (w, value) => (w.updates_per_month = value),
      told: (value) => number(value, 2),
    },
    latency_limit_ms: {
      stops: slowest ? [...between(slowest / 40, 1.5 * slowest, 40), Infinity] : [],
      read: (w) => (w.latency_limit_ms === null ? Infinity : w.latency_limit_ms),
      write: (w, value) => (w.latency_limit_ms = value === Infinity ? null : value),
      told: (value) => (value === Infinity ? "no limit" : `${number(value, 0)} ms`),
    },
    machine_hour: {
      stops: [-1, 0, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 8, 12, 20],
      read: (w) => (w.prices.machine_hour === null ? -1 : w.prices.machine_hour),
      write: (w, value) => (w.prices.machine_hour = value < 0 ? null : value),
      told: (value) =>
        value < 0 ? "no price" : `${money(value)} ${data.weights.prices.currency}`,
    },
    token_ratio: {
      stops: ratioOf(start.prices) === null
        ? [] : [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 20],
      read: (w) => ratioOf(w.prices),
      write: (w, value) => {
        w.prices.tuned_prompt_tokens = value * w.prices.prompt_tokens;
        w.prices.tuned_output_tokens =
          start.prices.tuned_output_tokens * (value / ratioOf(start.prices));
      },
      told: (value) => `${number(value, 2)} times`,
    },
    margin: {
      stops: [0.001, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3],
      read: (w) => w.margin,
      write: (w, value) => (w.margin = value),
      told: (value) => number(value, 3),
    },
  };

  const why = {
    quality: () => "better than every other",
    cost: (found) =>
      `no worse than the best by more than ${number(weights.margin, 3)}, and ` +
      "the cheapest or the easiest to keep fresh",
    gates: () => "the only one that is left",
    undecided: () => "these cases cannot choose",
  };

  let weights = structuredClone(start);
  const moved = [];

  function show() {
    const costs = costsOf(data, weights);
    const found = decide(data, weights);
    const same = JSON.stringify(weights) === JSON.stringify(start);
    at("what-if-arm").textContent = found.arm ? `take ${found.arm}` : "no clear winner";
    at("what-if-arm").className = `name ${found.arm || ""}`;
    at("what-if-why").textContent = why[found.reason](found);
    at("what-if-dropped").textContent = Object.entries(found.dropped)
      .map(([name, reason]) => `${name} is left out: ${reason}.`)
      .join(" ");
    at("what-if-moved").hidden = same;
    at("reset").disabled = same;
    at("cost-unit").textContent =
      { money: `in ${data.weights.prices.currency}`, seconds: "in machine time" }[
        costs.unit
      ] || "not known";
    for (const row of document.querySelectorAll("[data-cost]")) {
      const cost = costs.unit === "tokens" ? null : costs.arms[row.dataset.cost];
      const told = cost === null
        ? Array(4).fill("not known")
        : [
            amount(1000 * cost.answer, costs.unit),
            amount(cost.setup, costs.unit),
            amount(cost.update, costs.unit),
            amount(1000 * aQuestion(cost, weights), costs.unit),
          ];
      [...row.querySelectorAll("td")].forEach((cell, i) => (cell.textContent = told[i]));
    }
    for (const row of document.querySelectorAll("[data-pair]")) {
      const [first, second] = row.dataset.pair.split(",");
      const one = costs.unit === "tokens" ? null : breakEven(first, second, costs, weights);
      row.querySelector("td").textContent =
        costs.unit === "tokens"
          ? "cannot be told from this run"
          : one === null
          ? "as much work to make: the one whose answers cost less"
          : one.questions === null
          ? `never: ${one.challenger} is not cheaper at any volume`
          : `${one.challenger}, from ${number(one.questions, 0)} questions a month`;
    }
  }

  function setUp(name, slider) {
    const input = at(`weight-${name}`);
    const output = at(`told-${name}`);
    if (!slider.stops.length) {
      input.closest(".weight").hidden = true;
      return;
    }
    const now = slider.read(start);
    const stops = [...new Set([...slider.stops, now])].sort((a, b) => a - b);
    const first = stops.indexOf(now);
    const tell = () => {
      const told = slider.told(stops[Number(input.value)]);
      output.textContent = told;
      input.setAttribute("aria-valuetext", told);
    };
    input.max = String(stops.length - 1);
    input.value = String(first);
    tell();
    moved.push((to) => {
      const place = Number(input.value);
      if (place !== first) slider.write(to, stops[place]);
    });
    input.addEventListener("input", () => {
      tell();
      weights = structuredClone(start);
      moved.forEach((write) => write(weights));
      show();
    });
    form.addEventListener("reset", () => setTimeout(() => {
      input.value = String(first);
      tell();
    }));
  }

  if (Object.keys(data.families).length || data.arms.length > 1) {
    for (const [name, slider] of Object.entries(sliders)) setUp(name, slider);
    form.addEventListener("reset", () => {
      weights = structuredClone(start);
      show();
    });
    form.hidden = false;
    show();
  }

  // Cases: those that one arm got right and another wrong.
  const chooser = at("choose-cases");
  if (chooser) {
    const cases = [...document.querySelectorAll(".example")];
    const few = 8;
    let all = false;
    const choose = () => {
      const right = at("choose-right").value;
      const wrong = at("choose-wrong").value;
      const fits = cases.filter((one) => {
        const found = one.dataset.right.split(" ");
        return (!right || found.includes(right)) && (!wrong || !found.includes(wrong));
      });
      cases.forEach((one) => (one.hidden = true));
      fits.slice(0, all ? fits.length : few).forEach((one) => (one.hidden = false));
      at("chosen-cases").textContent =
        `${Math.min(fits.length, all ? fits.length : few)} of ${fits.length} shown`;
      at("more-cases").hidden = all || fits.length <= few;
    };
    for (const id of ["choose-right", "choose-wrong"]) {
      at(id).addEventListener("change", () => {
        all = false;
        choose();
      });
    }
    at("more-cases").addEventListener("click", () => {
      all = true;
      choose();
    });
    chooser.hidden = false;
    choose();
  }
})();
