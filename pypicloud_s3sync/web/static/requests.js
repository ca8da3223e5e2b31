/**
 * Requests to the routes of S3 sync. An answer is a document, or a problem that says what to do about it.
 */
(function () {
  "use strict";

  const PATIENCE = 90000; // milliseconds: reading AWS takes seconds
  const PAUSE = 2000; // milliseconds before another request if the server reads AWS for someone else
  const SILENCE = 30000; // milliseconds: the server sends an empty line every ten seconds
  const RELOAD = { href: "", text: "Reload the page" };
  const LOGIN = { href: S3SYNC.login, text: "Log in" };
  const NO_ANSWER = "The server does not answer.";

  angular.module("pypicloud").factory("s3syncRequests", [
    "$q",
    "$rootScope",
    function ($q, $rootScope) {
      /**
       * Returns the requests of a scope. An answer that comes after the scope has ended is dropped: it would be
       * announced in another view of the page, or go on with polling for ever.
       */
      return function (scope) {
        let isShown = true;
        scope.$on("$destroy", () => {
          isShown = false;
        });

        // Returns a promise of a document, rejected with a problem. "isDocument" says whether JSON is that document;
        // "maxAge" is the age in seconds that it may have.
        function get(path, isDocument, maxAge) {
          const headers = maxAge ? { "Cache-Control": "max-age=" + maxAge } : {};
          const last = Date.now() + PATIENCE;
          const ask = () =>
            send("GET", path, PATIENCE, headers).then(({ response, stop }) =>
              response.text().then((text) => {
                stop();
                const answer = parsed(text);
                if (response.status === 200 && answer && isDocument(answer)) return answer;
                throw problemOf(response, answer, text);
              }, unreachable)
            );
          // Another page may be reading AWS, or this one did before it was reloaded.
          const askAgain = (problem) => {
            if (problem.error !== "busy" || !isShown || Date.now() > last) throw problem;
            return new Promise((resolve) => setTimeout(resolve, PAUSE)).then(askPatiently);
          };
          const askPatiently = () => ask().catch(askAgain);
          return inDigest(askPatiently());
        }

        /**
         * Posts a command and passes on each line of the answer as it arrives.
         *
         * Returns a promise of the line with the result, or of null if the connection was lost before: the run
         * continues, and only the server knows its end. It is rejected with a problem if there is no run.
         */
        function post(command, onLine) {
          let result = null;
          return inDigest(
            send("POST", "/" + command, SILENCE, { "X-CSRF-Token": S3SYNC.token }).then(({ response, stop, alive }) => {
              if (response.status !== 200 || !isStream(response)) {
                return response.text().then((text) => {
                  stop();
                  throw problemOf(response, parsed(text), text);
                }, unreachable);
              }
              return lines(response, alive, stop, (line) => {
                if (line.result) result = line;
                else if (isShown) $rootScope.$apply(() => onLine(line));
              }).then(
                () => result,
                () => result
              );
            })
          );
        }

        function inDigest(promise) {
          const deferred = $q.defer();
          const ifShown = (settle) => (outcome) => isShown && $rootScope.$apply(() => settle(outcome));
          promise.then(ifShown(deferred.resolve), ifShown(deferred.reject));
          return deferred.promise;
        }

        return { get: get, post: post };
      };

      function send(method, path, patience, more) {
        const controller = new AbortController();
        let timer = setTimeout(() => controller.abort(), patience);
        const stop = () => clearTimeout(timer);
        const alive = () => {
          stop();
          timer = setTimeout(() => controller.abort(), patience);
        };
        const headers = Object.assign({ Accept: "application/json", "X-Requested-With": "XMLHttpRequest" }, more);
        // A redirect is a login page of a proxy: none of these routes redirects.
        return fetch(S3SYNC.url + path, {
          method: method,
          headers: headers,
          redirect: "manual",
          credentials: "same-origin",
          cache: "no-store",
          signal: controller.signal,
        }).then(
          (response) => ({ response: response, stop: stop, alive: alive }),
          () => {
            stop();
            return unreachable();
          }
        );
      }

      // Reads lines of JSON. One that is damaged loses only itself.
      async function lines(response, alive, stop, onLine) {
        const reader = response.body.getReader();
        const decoder = new TextDecoder();
        let rest = "";
        for (;;) {
          const { done, value } = await reader.read();
          if (done) stop();
          else alive();
          const text = rest + (done ? decoder.decode() + "\n" : decoder.decode(value, { stream: true }));
          const complete = text.split("\n");
          rest = complete.pop();
          complete.map(parsed).filter(_.isObject).forEach(onLine);
          if (done) return;
        }
      }
    },
  ]);

  function isStream(response) {
    return (response.headers.get("Content-Type") || "").indexOf("application/x-ndjson") === 0;
  }

  function parsed(text) {
    try {
      return JSON.parse(text);
    } catch (error) {
      return null; // A proxy's page, a heartbeat, or a line that was cut off.
    }
  }

  function unreachable() {
    throw problem("unreachable", NO_ANSWER);
  }

  function problemOf(response, answer, text) {
    if (response.type === "opaqueredirect") return loggedOut(RELOAD);
    if (response.status === 401) return loggedOut(LOGIN);
    if (answer && typeof answer.message === "string") {
      return Object.assign({}, answer, { link: answer.error === "csrf" ? RELOAD : undefined });
    }
    const status = response.status;
    if (status === 200 && /^\s*</.test(text)) return loggedOut(RELOAD);
    if (status === 403) return problem("forbidden", "You are not an admin of this pypicloud: log in as one.", LOGIN);
    if (status === 404) return problem("stale", "The server may have been updated: reload the page.", RELOAD);
    if (status >= 502 && status <= 504) return problem("unreachable", NO_ANSWER + " A proxy answered with status " + status + ".");
    if (status !== 200) return problem("server", "The server answered with status " + status + ": see its log.");
    return problem("unreadable", "The answer is not from S3 sync: check the proxies in front of pypicloud.");
  }

  function problem(error, message, link) {
    return { error: error, message: message, link: link };
  }

  function loggedOut(link) {
    return problem("login", "Your session has ended, so the server did not answer this page.", link);
  }
})();
