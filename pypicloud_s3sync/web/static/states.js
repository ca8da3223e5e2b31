/**
 * Words and icons: what the panel calls each state, in a color, a shape and a title.
 *
 * The page sets S3SYNC: the CSRF token, and the URLs of the routes, the login page and the panel's template.
 */
(function () {
  "use strict";

  // "tone" is a color; the shape of the icon says the same without it.
  const STATES = {
    on: { mark: "fa-check-circle", tone: "good", text: "S3 sync is on" },
    off: { mark: "fa-power-off", tone: "calm", text: "S3 sync is off" },
    partial: { mark: "fa-warning", tone: "warning", text: "S3 sync is incomplete" },
    differs: { mark: "fa-warning", tone: "warning", text: "S3 sync differs from the settings" },
    failing: { mark: "fa-times-circle", tone: "bad", text: "S3 sync is failing" },
    paused: { mark: "fa-pause", tone: "bad", text: "S3 sync is paused" },
    conflict: { mark: "fa-ban", tone: "bad", text: "Something is in the way of S3 sync" },
    running: { mark: "fa-spinner fa-spin", tone: "calm", text: "S3 sync is being changed" },
    config: { mark: "fa-ban", tone: "bad", text: "S3 sync cannot work with these settings" },
    login: { mark: "fa-sign-in", tone: "warning", text: "You are logged out" },
    unknown: { mark: "fa-question-circle", tone: "warning", text: "The state of S3 sync is unknown" },
  };

  const PARTS = {
    ok: { mark: "fa-check-circle", tone: "good", text: "" },
    given: { mark: "fa-check-circle", tone: "good", text: "set by you" },
    missing: { mark: "fa-times-circle", tone: "bad", text: "missing" },
    differs: { mark: "fa-warning", tone: "warning", text: "differs" },
    foreign: { mark: "fa-ban", tone: "bad", text: "belongs to another owner" },
    off: { mark: "fa-circle-o", tone: "calm", text: "not created" },
    unknown: { mark: "fa-question-circle", tone: "warning", text: "unknown" },
  };

  const STEPS = {
    running: { mark: "fa-spinner fa-spin", tone: "calm" },
    done: { mark: "fa-check-circle", tone: "good" },
    skipped: { mark: "fa-minus-circle", tone: "calm" },
    failed: { mark: "fa-times-circle", tone: "bad" },
    stopped: { mark: "fa-stop", tone: "bad" },
    unknown: { mark: "fa-question-circle", tone: "warning" },
  };

  const COMMANDS = {
    enable: { verb: "Enable", running: "Enabling S3 sync", other: "S3 sync is being changed" },
    repair: { verb: "Repair", running: "Repairing S3 sync", other: "S3 sync is being changed" },
    replay: {
      verb: "Process again",
      running: "Processing failed events again",
      other: "Failed events are being processed again",
    },
    reconcile: {
      verb: "Reconcile",
      running: "Reconciling the cache with the bucket",
      other: "The cache is being reconciled with the bucket",
    },
    compare: {
      verb: "Compare",
      running: "Comparing the bucket with the cache",
      other: "The bucket is being compared with the cache",
    },
    disable: { verb: "Disable", running: "Disabling S3 sync", other: "S3 sync is being disabled" },
  };

  angular.module("pypicloud").constant("s3syncWords", {
    COMMANDS: COMMANDS,
    STEPS: STEPS,

    // A state that this page does not know comes from a later version of the server: it is named, not hidden.
    state: function (name) {
      return STATES[name] || Object.assign({}, STATES.unknown, { text: "S3 sync: " + name });
    },

    part: function (name) {
      return PARTS[name] || Object.assign({}, PARTS.unknown, { text: name });
    },

    code: function (name) {
      return { older: "older than the server's", different: "not deployed by this tool" }[name] || name;
    },

    // Returns the title of a problem that hides the state.
    problem: function (kind) {
      return kind === "config" || kind === "login" ? STATES[kind] : STATES.unknown;
    },
  });
})();
