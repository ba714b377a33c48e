# What zsh completes a command line with.
#
#   zsh -f complete.zsh FOLDER OUT LINE
#
# FOLDER has the completions, and OUT gets the candidates, one a line.
zmodload zsh/zpty
zpty inner 'zsh -f -i'
zpty -w inner "fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u"
zpty -w inner "compadd() { local -a hits; builtin compadd -A hits \"\$@\"; print -rl -- \$hits >>$2; builtin compadd \"\$@\" }"
zpty -w inner "complete-and-end() { _main_complete; print END >>$2 }"
zpty -w inner 'zle -C complete-and-end complete-word complete-and-end; bindkey "^I" complete-and-end'
zpty -w -n inner "$3"$'\t'
# Its output is read, so that it does not wait for that.
for attempt in {1..1200}; do
    grep -qx END $2 2>/dev/null && break
    zpty -r -t inner ignored || sleep 0.02
done
zpty -d inner
grep -qx END $2
