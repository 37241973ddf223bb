// Turns what workers tell into cards, log lines and marks on the chart.

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** Makes the listener for news of workers, of this tab and others. */
export function makeNews({ cards, log, mark, tab, moved }) {
  const who = (news) => (news.tab === tab ? `Worker ${news.worker}` : `Worker ${news.worker} of tab ${news.tab}`);

  const kinds = {
    start(news) {
      const before = cards.found(news.id);
      if (before) {
        log.say("good", `${news.name} came back ${seconds(Date.now() - before.at)} after the kill: ${who(news)} has it now.`);
        mark("came back");
      }
    },
    failed: (news) =>
      log.fold(`failed ${news.attempt}`, "bad", (count) => (count === 1
        ? `${news.name} failed at try ${news.attempt}: ${news.error}.`
        : `${count} files failed at try ${news.attempt}: ${news.error}.`)),
    late: (news) => log.say("note", `${who(news)} was too late for ${news.name}: its lease had run out.`),
    broken: (news) => log.say("bad", `${who(news)} could not work: ${news.error}`),
    killed(news) {
      const what = news.holds
        ? `while it held ${news.holds.name ?? `${news.holds.jobs} small jobs`}. Its lease runs out soon.`
        : "while it held nothing.";
      log.say("trouble", `${who(news)} was killed ${what}`);
      mark("killed");
    },
    doneJobs(news) {
      if (news.failed > 0)
        log.fold("jobs failed", "bad", (count) => `${count.toLocaleString("en")} tries of jobs failed: told to, one in ten.`, news.failed);
    },
  };

  return (news) => {
    kinds[news.kind]?.(news);
    cards.hear(news);
    if (["done", "start"].includes(news.kind)) moved();
  };
}
