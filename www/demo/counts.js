// The counts behind the integrity line, read from the queues' own durable tallies, never from what this page remembers.

/** What the two queues that people watch hold now. `queues` is the map name -> open queue. */
export async function readCounts(queues) {
  const [photos, photosDead, jobs, jobsDead, thumbnails] = await Promise.all(
    ["photos", "photos-dlq", "jobs", "jobs-dlq", "thumbnails"].map((name) => queues[name].metrics()),
  );
  return {
    photos: sum(photos, photosDead),
    jobs: sum(jobs, jobsDead),
    thumbnails: { waiting: thumbnails.backlogCount, duplicates: thumbnails.duplicates },
    at: Date.now(),
  };
}

/** One queue with its dead-letter queue. Every message sent is in exactly one of the places it is split into. */
function sum(queue, deadLetters) {
  const dropped = ({ expired, overflow, purged, noDeadLetterQueue }) => expired + overflow + purged + noDeadLetterQueue;
  const counts = {
    sent: queue.sent,
    done: queue.acked,
    ready: queue.ready,
    delayed: queue.delayed,
    waiting: queue.ready + queue.delayed,
    leased: queue.leased,
    dead: deadLetters.backlogCount,
    purged: dropped(queue.dropped) + dropped(deadLetters.dropped),
    retried: queue.retried,
    delivered: queue.delivered,
  };
  // A try that failed is either followed by a retry or was the last one.
  counts.failed = queue.retried + queue.deadLettered;
  counts.balanced = counts.sent === counts.done + counts.waiting + counts.leased + counts.dead + counts.purged;
  return counts;
}

/** How often each file was worked on, acked and shown, from the page's ledger. */
export function sumFiles(files) {
  const sum = { files: files.length, once: 0, more: 0, ackedTwice: 0, shown: 0, duplicates: 0, bytes: 0 };
  for (const { runs, acks, results, size } of files) {
    if (runs === 1) sum.once += 1;
    if (runs > 1) sum.more += 1;
    if (acks > 1) sum.ackedTwice += 1;
    if (results > 0) sum.shown += 1;
    if (results > 1) sum.duplicates += results - 1;
    if (results > 0) sum.bytes += size;
  }
  return sum;
}
