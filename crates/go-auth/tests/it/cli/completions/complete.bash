# What bash completes a command line with.
#
#   bash --norc complete.bash SCRIPT WORD...
#
# SCRIPT has the completions; with BASH_COMPLETION it is loaded by that, by its name.
if [[ -n ${BASH_COMPLETION-} ]]; then
    source "$BASH_COMPLETION"
    _completion_loader go-auth
    shift
else
    source "$1"
    shift
fi
# The function that TAB calls.
[[ $(complete -p go-auth) =~ -F\ ([^ ]+) ]] || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
# Outside of TAB there is nothing whose options could be changed.
compopt() { :; }
"${BASH_REMATCH[1]}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
