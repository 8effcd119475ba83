// The rule of the verdict on given bounds, and the costs that it weighs: the same as
// measure/costs.py and measure/verdict.py, which a test holds it to. No page in here.
"use strict";

const HOUR = 3600;
const MILLION = 1000000;

function named(data, name) {
  return data.arms.find((arm) => arm.name === name);
}

// Seconds of training, of indexing, and of indexing again after an update.
function making(data, arm) {
  const indexed = data.retrieving.includes(arm.name);
  return [
    data.trained.includes(arm.name) ? arm.train_seconds || 0 : 0,
    indexed ? arm.index_seconds || 0 : 0,
    indexed ? arm.reindex_seconds || 0 : 0,
  ];
}

function lacksTraining(data, arm) {
  return data.trained.includes(arm.name) && arm.train_seconds === null;
}

function inSeconds(data, arm) {
  if (arm.mean_ms === null || lacksTraining(data, arm)) return null;
  const [train, index, again] = making(data, arm);
  return {
    setup: train + index,
    month: 0,
    update: (data.retrained.includes(arm.name) ? train : 0) + again,
    answer: arm.mean_ms / 1000,
  };
}

function answerInMoney(data, arm, prices) {
  const [prompt, output] = data.trained.includes(arm.name)
    ? [prices.tuned_prompt_tokens, prices.tuned_output_tokens]
    : [prices.prompt_tokens, prices.output_tokens];
  if (prompt !== null && output !== null) {
    return (arm.prompt * prompt + arm.output * output) / MILLION;
  }
  if (prices.machine_hour === null || arm.mean_ms === null) return null;
  return ((arm.mean_ms / 1000) * prices.machine_hour) / HOUR;
}

function inMoney(data, arm, prices) {
  const answer = answerInMoney(data, arm, prices);
  if (answer === null || lacksTraining(data, arm)) return null;
  const [train, index, again] = making(data, arm);
  const training =
    prices.training_hour === null ? prices.machine_hour : prices.training_hour;
  if (train && training === null) return null;
  const learnt = (train * (training || 0)) / HOUR;
  const hour = (prices.machine_hour || 0) / HOUR;
  return {
    setup: learnt + index * hour,
    month:
      (data.trained.includes(arm.name) ? prices.tuned_month : 0) +
      (data.retrieving.includes(arm.name) ? prices.index_month : 0),
    update: (data.retrained.includes(arm.name) ? learnt : 0) + again * hour,
    answer: answer,
  };
}

// In money where every price is there, else in seconds where all was timed, else null.
function costsOf(data, weights) {
  const prices = weights.prices;
  const given = [
    prices.prompt_tokens, prices.tuned_prompt_tokens, prices.machine_hour,
  ].some((price) => price !== null);
  const each = (one) =>
    Object.fromEntries(data.arms.map((arm) => [arm.name, one(arm)]));
  const whole = (arms) => Object.values(arms).every((cost) => cost !== null);
  if (given) {
    const money = each((arm) => inMoney(data, arm, prices));
    if (whole(money)) return { unit: "money", arms: money };
  }
  const seconds = each((arm) => inSeconds(data, arm));
  return { unit: whole(seconds) ? "seconds" : "tokens", arms: seconds };
}

function beforeAnswers(cost, weights) {
  const months = weights.horizon_months;
  const updates = weights.updates_per_month * months;
  return cost.setup + cost.month * months + updates * cost.update;
}

function aQuestion(cost, weights) {
  const questions = weights.questions_per_month * weights.horizon_months;
  return cost.answer + beforeAnswers(cost, weights) / questions;
}

function amountsOf(data, weights) {
  const costs = costsOf(data, weights);
  return Object.fromEntries(
    data.arms.map((arm) => [
      arm.name,
      costs.unit === "tokens"
        ? arm.prompt + arm.output
        : aQuestion(costs.arms[arm.name], weights),
    ])
  );
}

// The cheapest; of those within the tie the one that is easiest to keep fresh, or the
// one with the fewest parts where nothing is updated.
function cheapest(names, amounts, data, weights) {
  const tie = weights.cost_tie;
  const limit = Math.min(...names.map((name) => amounts[name])) * (1 + tie);
  const order = weights.updates_per_month > 0 ? data.freshness : data.simplicity;
  const rank = (name) => {
    const place = order.indexOf(name);
    return place < 0 ? order.length : place;
  };
  return names
    .filter((name) => amounts[name] <= limit)
    .sort((a, b) => rank(a) - rank(b) || amounts[a] - amounts[b])[0];
}

function breakEven(first, second, costs, weights) {
  const one = costs.arms[first];
  const other = costs.arms[second];
  if (!one || !other) return null;
  const ahead = [beforeAnswers(one, weights), beforeAnswers(other, weights)];
  if (ahead[0] === ahead[1]) return null;
  const names = ahead[0] > ahead[1] ? [first, second] : [second, first];
  const [challenger, incumbent] = names.map((name) => costs.arms[name]);
  const gap = incumbent.answer - challenger.answer;
  const found = { challenger: names[0], incumbent: names[1], questions: null };
  if (gap > 0) {
    const months = weights.horizon_months;
    const once =
      challenger.setup - incumbent.setup +
      (challenger.month - incumbent.month) * months +
      weights.updates_per_month * months * (challenger.update - incumbent.update);
    found.questions = Math.max(0, once / (months * gap));
  }
  return found;
}

// Arms that fail a gate with these weights, and why.
function droppedOf(data, weights) {
  const dropped = {};
  const limit = weights.latency_limit_ms;
  for (const arm of data.arms) {
    const declines = data.declines[arm.name];
    if (data.dropped[arm.name]) {
      dropped[arm.name] = data.dropped[arm.name];
    } else if (declines && declines.high < -weights.margin) {
      dropped[arm.name] = declines.why;
    } else if (limit !== null && arm.p95_ms !== null && arm.p95_ms > limit) {
      dropped[arm.name] = "slower than the limit";
    }
  }
  return dropped;
}

function decide(data, weights) {
  const dropped = droppedOf(data, weights);
  const names = data.arms.map((arm) => arm.name).filter((name) => !dropped[name]);
  const nothing = { arm: null, reason: "undecided", kept: [], dropped: dropped };
  if (names.length === 0) return nothing;
  // Where no arm gets anything right there is nothing to choose by.
  if (data.nothing_to_answer) return nothing;
  if (names.every((name) => named(data, name).nothing_right)) return nothing;
  if (names.length === 1) {
    if (Object.keys(dropped).length === 0) return nothing;
    return { arm: names[0], reason: "gates", kept: names, dropped: dropped };
  }
  const family = data.families[names.join(",")];
  if (!family) return nothing;
  const better = (a, b) => family.better.some(([x, y]) => x === a && y === b);
  const bound = (name) => (family.lower[name] === null ? -Infinity : family.lower[name]);
  const kept = names.filter((name) => bound(name) > -weights.margin);
  if (kept.length === 0) return nothing;
  const amounts = amountsOf(data, weights);
  const chosen = cheapest(kept, amounts, data, weights);
  const open = names.some(
    (name) =>
      !kept.includes(name) &&
      !better(chosen, name) &&
      cheapest([chosen, name], amounts, data, weights) === name
  );
  if (open) return { ...nothing, kept: kept };
  const wins = names.every((name) => name === chosen || better(chosen, name));
  const reason = wins ? "quality" : "cost";
  return { arm: chosen, reason: reason, kept: kept, dropped: dropped };
}
