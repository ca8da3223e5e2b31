/**
 * A run as the panel shows it, from the lines of a stream or from the server's documents.
 */
(function () {
  "use strict";

  const FIELDS = ["command", "since", "ended", "result", "message", "policy"];
  // The steps that change something.
  const CHANGES = /^(create|update|delete) /;
  const LONGEST = 3600000; // milliseconds that a step may take
  const PAST = {
    enable: "Enabled",
    repair: "Repaired",
    disable: "Disabled",
    replay: "Processed failed events",
    reconcile: "Reconciled",
    compare: "Compared",
  };
  // What the title says already.
  const SAID = /^(S3 sync is (on|off)|Nothing to do)\.\s*/;

  const CALM = /^Bucket and cache are in sync: [^.]*\.$/;

  angular.module("pypicloud").factory("s3syncRuns", [
    "s3syncWords",
    function (words) {
      // Returns a run that this page starts; "repair" is an enable of something that exists.
      function started(verb) {
        const command = verb === "repair" ? "enable" : verb;
        return { command: command, verb: verb, isOwn: true, steps: [], result: null };
      }

      // Returns a run from a document of the server. "known" is what this page has seen of it so far, if anything.
      function fromDocument(document, known) {
        const isSame = known && !known.result && (!known.since || known.since === document.since);
        const run = isSame ? known : { steps: [] };
        const before = run.steps;
        run.steps = [];
        (document.steps || []).forEach((line) => addStep(run, line, before));
        Object.assign(run, _.pick(document, FIELDS));
        run.steps.forEach((step, index) => {
          const next = run.steps[index + 1] ? run.steps[index + 1].at : run.ended;
          if (step.state !== "running" && step.seconds === undefined && next >= step.at) step.seconds = next - step.at;
        });
        if (!run.isOwn) run.verb = verbOf(run);
        return run;
      }

      function verbOf(run) {
        if (run.command !== "enable") return run.command;
        return run.steps.some((step) => step.step === "create function") ? "enable" : "repair";
      }

      // Adds a line to the run's steps. "before" has the steps whose elapsed times are known.
      function addStep(run, line, before) {
        if (!line.step) return;
        const last = _.last(run.steps.filter((step) => step.step === line.step));
        // A step of the same name that has ended is an earlier one.
        const isUpdate = last && last.state === "running";
        const seen = isUpdate ? last : (before && before[run.steps.length]) || {};
        const times = seen.step === line.step ? _.pick(seen, "began", "seconds") : {};
        const step = Object.assign(isUpdate ? last : times, line);
        if (!isUpdate) run.steps.push(step);
        step.icon = words.STEPS[step.state] || words.STEPS.running;
        if (step.state === "running") step.began = step.began || beganAt(step.at);
        else if (step.began && step.seconds === undefined) step.seconds = secondsSince(step.began);
      }

      // Returns when a step began, in milliseconds: this page may see it later. The server's clock may be wrong.
      function beganAt(seconds) {
        const passed = Date.now() - 1000 * seconds;
        return passed >= 0 && passed < LONGEST ? 1000 * seconds : Date.now();
      }

      // Returns the steps that have ended.
      function ended(run) {
        return run.steps.filter((step) => step.state !== "running");
      }

      // Writes the elapsed time of the running step.
      function tick(run) {
        run.steps.forEach((step) => {
          if (step.state === "running") step.elapsed = secondsSince(step.began);
        });
      }

      function secondsSince(milliseconds) {
        return Math.round((Date.now() - milliseconds) / 1000);
      }

      // Returns a run with its result, a line of the stream or a document of the server.
      function concluded(run, result) {
        if (!run || result.steps) return described(fromDocument(result, run));
        return described(Object.assign(run, _.pick(result, FIELDS)));
      }

      // Adds what the panel says about a run that has ended.
      function described(run) {
        run.isUnchanged = isUnchanged(run);
        run.past = run.isUnchanged ? "Checked" : PAST[run.verb] || run.command;
        run.says = run.result === "ok" ? String(run.message || "").replace(SAID, "") : "";
        // Nothing to do about it, and true only of the time of the run.
        run.isCalm = CALM.test(run.says);
        run.seconds = run.ended && run.since ? run.ended - run.since : undefined;
        stopSteps(run, "stopped");
        return run;
      }

      // Adds to a run that this page followed to its end when that was, according to the server.
      function dated(run, last) {
        run.isFresh = false;
        if (!last || run.isRefused) return;
        Object.assign(run, _.pick(last, "since", "ended"));
        described(run);
      }

      // Ends what this page knows of a run that it cannot follow.
      function leave(run) {
        stopSteps(run, "unknown");
        run.result = "left";
      }

      function stopSteps(run, state) {
        run.steps.forEach((step) => {
          if (step.state === "running") Object.assign(step, { state: state, icon: words.STEPS[state] });
        });
      }

      // Returns whether a run that has succeeded found everything as it should be.
      function isUnchanged(run) {
        if (run.result !== "ok" || ["enable", "disable"].indexOf(run.command) < 0) return false;
        return !run.steps.some((step) => step.state === "done" && CHANGES.test(step.step));
      }

      return {
        started: started,
        fromDocument: fromDocument,
        addStep: addStep,
        ended: ended,
        tick: tick,
        concluded: concluded,
        described: described,
        dated: dated,
        leave: leave,
      };
    },
  ]);
})();
