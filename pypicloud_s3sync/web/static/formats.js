/**
 * Times and numbers as filters, in the reader's locale and time zone.
 */
(function () {
  "use strict";

  const TIME = {
    month: "short",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  };
  const UNITS = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ];
  // Intl chooses the locale of the browser if it is given none.
  const time = new Intl.DateTimeFormat(undefined, TIME);
  const hour = new Intl.DateTimeFormat(undefined, { hour: "numeric" });
  const number = new Intl.NumberFormat();
  const tenths = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

  // Returns a number and its noun in the right form; a plural is given if it is more than the noun with an "s".
  function countOf(value, noun, plural) {
    return number.format(value) + " " + (value === 1 ? noun : plural || noun + "s");
  }

  // Returns whole seconds as text: "2 min 5 s".
  function duration(seconds) {
    if (seconds < 60) return number.format(seconds) + " s";
    const rest = seconds % 60;
    return number.format(Math.floor(seconds / 60)) + " min" + (rest ? " " + rest + " s" : "");
  }

  // Returns an age in its largest unit, as the command line does: "3 h".
  function age(seconds) {
    const [unit, size] = UNITS.find((pair) => seconds >= pair[1]) || ["s", 1];
    return number.format(Math.floor(seconds / size)) + " " + unit;
  }

  // Returns the time from an event until the cache was up to date.
  function lag(milliseconds) {
    if (milliseconds === null || milliseconds === undefined) return "";
    if (milliseconds < 1000) return number.format(milliseconds) + " ms";
    if (milliseconds < 60000) return tenths.format(milliseconds / 1000) + " s";
    return duration(Math.round(milliseconds / 1000));
  }

  // Returns a message of the server as a sentence, with its times and numbers in the reader's form.
  function sentence(message) {
    const text = String(message)
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, (at) => time.format(Date.parse(at)))
      .replace(/\b\d{1,3}(,\d{3})+\b/g, (digits) => number.format(digits.replace(/,/g, "")));
    return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
  }

  function as(format) {
    return function () {
      return format;
    };
  }

  angular
    .module("pypicloud")
    .filter("s3syncTime", as((seconds) => time.format(seconds * 1000)))
    .filter("s3syncHour", as((seconds) => hour.format(seconds * 1000)))
    .filter("s3syncNumber", as((value) => number.format(value)))
    .filter("s3syncCount", as(countOf))
    .filter("s3syncDuration", as(duration))
    .filter("s3syncAge", as(age))
    .filter("s3syncSentence", as(sentence))
    .filter("s3syncLag", as(lag));
})();
